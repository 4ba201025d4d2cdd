// hatchery register: a file of devices, one a line, registered by a template; with the server
// running or not.
#include "ca/digest.h"
#include "provisioning/flows/bulk.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/offline_service.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

struct RegisterOptions {
    DataOptions data;
    std::string template_file;
    std::string file;
    std::string out;
    unsigned threads = 0;
};

/// What makes two runs the same one: the template and every byte of the file.
Result<std::string> run_id(std::string_view template_body, std::ifstream& file) {
    const auto template_digest = ca::sha256(bytes_of(template_body));
    Bytes digests(template_digest.begin(), template_digest.end());
    std::string block(1 << 20, '\0');
    while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
        const auto size = static_cast<std::size_t>(file.gcount());
        const auto digest = ca::sha256(bytes_of(std::string_view(block).substr(0, size)));
        digests.insert(digests.end(), digest.begin(), digest.end());
    }
    if (file.bad()) return fail(Code::Unavailable, "the file of devices cannot be read");
    file.clear();
    file.seekg(0);
    return to_hex(ca::sha256(digests)).substr(0, 40);
}

Result<registry::RegistrationTask> begin_run(store::Store& store,
                                             const registry::RegistrationTask& wanted) {
    return store.write([&](store::Tx& tx) -> Result<registry::RegistrationTask> {
        auto known = registry::find_registration_task(tx, wanted.id);
        if (known || known.error().code != Code::NotFound) return known;
        return registry::start_registration_task(tx, wanted, clock_now());
    });
}

class ProgressBar {
  public:
    explicit ProgressBar(std::int64_t total) : total_(std::max<std::int64_t>(total, 1)) {}

    void show(const flows::BulkProgress& progress) const {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
        const auto done = progress.successes + progress.failures;
        const auto filled =
            static_cast<std::size_t>(std::min<std::int64_t>(40, 40 * progress.bytes / total_));
        std::fprintf(stderr,
                     "\r[%-40s] %lld devices  %.0f/s  %lld refused ",
                     std::string(filled, '#').c_str(),
                     static_cast<long long>(done),
                     static_cast<double>(done) / std::max(took.count(), 0.001),
                     static_cast<long long>(progress.failures));
    }

  private:
    std::int64_t total_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// Lines to a file or to standard output.
class LineSink {
  public:
    explicit LineSink(const std::string& path) : path_(path) {
        if (!path_.empty()) file_.open(path_, std::ios::trunc | std::ios::binary);
    }
    Result<> put(const std::string& line) {
        if (path_.empty()) return print(line);
        file_ << line;
        return check();
    }
    Result<> finish() {
        if (path_.empty()) return {};
        file_.close();
        return check();
    }

  private:
    Result<> check() const {
        if (file_) return {};
        return fail(Code::Unavailable, "cannot write " + path_);
    }
    std::string path_;
    std::ofstream file_;
};

Result<> run_register(const RegisterOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto body = read_file(options.template_file);
    if (!body) return std::move(body).error();
    std::ifstream file(options.file, std::ios::binary);
    if (!file || fs::is_directory(options.file)) return file_error("read", options.file, errno);
    auto id = run_id(*body, file);
    if (!id) return std::move(id).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto offline = OfflineService::open(*data, *passphrase);
    if (!offline) return std::move(offline).error();

    auto compiled =
        (*offline)->service().compiled.provisioning_template(*body, templates::Kind::Bulk);
    if (!compiled) return std::move(compiled).error();
    registry::RegistrationTask wanted;
    wanted.id = std::move(*id);
    wanted.template_body = std::move(*body);
    wanted.file = options.file;
    auto task = begin_run((*offline)->store(), wanted);
    if (!task) return std::move(task).error();

    LineSink sink(options.out);
    std::error_code ignored;
    const ProgressBar bar(static_cast<std::int64_t>(fs::file_size(options.file, ignored)));
    const bool shows_progress = ::isatty(STDERR_FILENO) == 1;
    std::int64_t earlier = 0;
    flows::BulkOptions how;
    how.threads = options.threads;
    how.requester = requester();
    how.report = [&](const flows::BulkResult& result) {
        earlier += result.is_earlier ? 1 : 0;
        return sink.put(flows::to_json_line(result));
    };
    how.go_on = [&](const flows::BulkProgress& progress) {
        if (shows_progress) bar.show(progress);
        return true;
    };
    auto done = flows::register_lines((*offline)->service(), *task, file, how);
    if (shows_progress) std::fputc('\n', stderr);
    if (!done) return std::move(done).error();
    if (auto finished = sink.finish(); !finished) return finished;
    task->status = registry::RegistrationTaskStatus::Completed;
    task->successes = done->successes;
    task->failures = done->failures;
    task->percentage = 100;
    auto ended = (*offline)->store().write(
        [&](store::Tx& tx) { return registry::update_registration_task(tx, *task, clock_now()); });
    if (!ended) return ended;
    std::fprintf(stderr,
                 "%lld registered, %lld refused; %lld of them by an earlier run\n",
                 static_cast<long long>(done->successes),
                 static_cast<long long>(done->failures),
                 static_cast<long long>(earlier));
    if (done->failures == 0) return {};
    return fail(Code::InvalidRequest, std::to_string(done->failures) + " devices were refused");
}

}  // namespace

void add_register_command(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("register", "Register a file of devices by a template, one a line");
    auto options = std::make_shared<RegisterOptions>();
    command
        ->add_option("--template", options->template_file, "Provisioning template, a file of JSON")
        ->required();
    command
        ->add_option(
            "--file", options->file, "Devices: a JSON object with the template's parameters a line")
        ->required();
    command->add_option(
        "--out", options->out, "File for a line of JSON a device (default: standard output)");
    command->add_option("--threads", options->threads, "Default: one a core")
        ->check(CLI::Range(1, 256));
    add_data_option(*command, options->data);
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n"
        "  hatchery register --data plant --template bulk.json --file devices.jsonl --out "
        "done.jsonl\n\n"
        "Each line is registered or refused by itself; --out has {\"lineNumber\", \"offset\",\n"
        "\"response\"} or {…, \"errorMessage\"} for each, in order. A run that was stopped goes on "
        "when\n"
        "the same command is given again; once all is done it changes nothing and writes the same\n"
        "lines. Exit code 1 if a device was refused.");
    on_run(*command, exit_code, [options] { return run_register(*options); });
}

}  // namespace hatchery::command
