// hatchery template render and diff: what a template makes of a device, before a device does.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/template_command.h"
#include "tools/hatchery/template_files.h"
#include "tools/hatchery/template_plan.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace hatchery::command {

namespace {

using nlohmann::ordered_json;

struct RenderOptions {
    std::string file;
    std::string new_file;  ///< diff only
    std::string type;
    DeviceOptions device;
    bool is_json = false;
};

/// The plan of one template, or the error that the device would get.
Result<ordered_json> rendered(const std::string& file, const RenderOptions& options) {
    auto body = read_template(file, parse_template_kind(options.type));
    if (!body) return std::move(body).error();
    auto parameters = device_parameters(options.device);
    if (!parameters) return std::move(parameters).error();
    add_stand_in_id(*parameters, body->kind);
    auto plan = templates::resolve(*body->value, *parameters);
    if (!plan) {
        Error error = std::move(plan).error();
        error.where = file + (error.where.empty() ? "" : "#" + error.where);
        return error;
    }
    return plan_json(*plan);
}

Result<> render(const RenderOptions& options) {
    const auto plan = rendered(options.file, options);
    if (!plan) return plan.error();
    return print(options.is_json ? json_text(*plan) : plan_text(*plan));
}

/// The member at an RFC 6901 pointer.
std::string value_at(const ordered_json& plan, const std::string& pointer) {
    const ordered_json::json_pointer place(pointer);
    return plan.contains(place) ? plan.at(place).dump() : "";
}

/// One line a change: `~ /thing/thingName: "a" -> "b"`, `+ …: new`, `- …: old`.
std::string diff_text(const ordered_json& before, const ordered_json& patch) {
    std::string out;
    for (const auto& step : patch) {
        const auto operation = step.at("op").get<std::string>();
        const auto path = step.at("path").get<std::string>();
        if (operation == "add") {
            out += "+ " + path + ": " + step.at("value").dump() + "\n";
        } else if (operation == "remove") {
            out += "- " + path + ": " + value_at(before, path) + "\n";
        } else {
            out += "~ " + path + ": " + value_at(before, path) + " -> " + step.at("value").dump() +
                   "\n";
        }
    }
    return out;
}

int diff(const RenderOptions& options) {
    const auto before = rendered(options.file, options);
    if (!before) return report(could_not_run(before.error()));
    const auto after = rendered(options.new_file, options);
    if (!after) return report(after.error());
    const ordered_json patch = ordered_json::diff(*before, *after);
    if (patch.empty() && !options.is_json) return kDone;
    const auto printed = print(options.is_json ? json_text(patch) : diff_text(*before, patch));
    if (!printed) return report(printed.error());
    return patch.empty() ? kDone : kRefused;
}

}  // namespace

void add_template_render(CLI::App& command, int& exit_code) {
    auto options = std::make_shared<RenderOptions>();
    CLI::App* sub = command.add_subcommand(
        "render", "Print the records that a template would make for one device");
    sub->add_option("FILE", options->file, "The template, as validate reads it")->required();
    add_type_option(*sub, options->type);
    add_device_options(*sub, options->device);
    sub->add_flag("--json", options->is_json, "One JSON object");
    sub->footer(
        "Example:\n  hatchery template render jitp.json --cert device.pem\n"
        "  hatchery template render claim.json --params SerialNumber=4711\n\n"
        "Without a certificate AWS::IoT::Certificate::Id is 64 zeros.\n"
        "Exit codes: 0 rendered, 1 the template or this device would be refused, 2 could not run");
    sub->callback([options, &exit_code] { exit_code = finish(render(*options)); });
}

void add_template_diff(CLI::App& command, int& exit_code) {
    auto options = std::make_shared<RenderOptions>();
    CLI::App* sub = command.add_subcommand(
        "diff", "Show what a new version of a template would change for one device");
    sub->add_option("OLD", options->file, "The template as it is")->required();
    sub->add_option("NEW", options->new_file, "The template as it will be")->required();
    add_type_option(*sub, options->type);
    add_device_options(*sub, options->device);
    sub->add_flag("--json", options->is_json, "A JSON patch (RFC 6902)");
    sub->footer(
        "Example:\n  hatchery template diff old.json new.json --cert device.pem\n\n"
        "Exit codes: 0 the same records, 1 others, or NEW refuses the device, 2 could not run");
    sub->callback([options, &exit_code] { exit_code = diff(*options); });
}

}  // namespace hatchery::command
