#include "tools/hatchery/template_command.h"

#include "templates/template.h"
#include "tools/hatchery/exit_code.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace hatchery::command {

namespace {

Result<> explain_code(const std::string& code) {
    const auto help = templates::explain(code);
    if (help) return print(code + ": " + std::string(*help) + "\n");
    return fail(Code::Unavailable, "no finding has the code " + one_line(code));
}

void add_template_explain(CLI::App& command, int& exit_code) {
    auto code = std::make_shared<std::string>();
    CLI::App* help = command.add_subcommand("explain", "Say what a finding's code means");
    help->add_option("CODE", *code, "Code of a finding, such as T201")->required();
    help->footer("Example:\n  hatchery template explain T201");
    help->callback([code, &exit_code] { exit_code = finish(explain_code(*code)); });
}

}  // namespace

}  // namespace hatchery::command

void add_template_command(CLI::App& app, int& exit_code) {
    CLI::App* command =
        app.add_subcommand("template", "Check, try out and compare provisioning templates");
    command->require_subcommand(1);
    command->footer("Example:\n  hatchery template validate template.json");
    hatchery::command::add_template_validate(*command, exit_code);
    hatchery::command::add_template_explain(*command, exit_code);
    hatchery::command::add_template_render(*command, exit_code);
    hatchery::command::add_template_diff(*command, exit_code);
    hatchery::command::add_template_test(*command, exit_code);
    hatchery::command::add_template_schema(*command, exit_code);
}
