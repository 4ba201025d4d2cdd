// hatchery rotate: a job that has devices exchange their certificates, its progress and its report.
#include "ca/digest.h"
#include "provisioning/flows/rotation_job.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/serve_lock.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

namespace hatchery::command {

namespace {

using registry::ExecutionStatus;

constexpr std::chrono::milliseconds kLookAgain{500};

struct RotateOptions {
    DataOptions data;
    flows::RotationOrder order;
    std::string expiring, report;
    bool is_detached = false;
    bool is_json = false;

    int selections() const {
        return (order.group.empty() ? 0 : 1) + (order.thing.empty() ? 0 : 1) +
               (expiring.empty() ? 0 : 1);
    }
};

/// "30d", "12h", "4w".
Result<std::chrono::seconds> parse_expiring(const std::string& text) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    const bool is_good =
        digits != std::string::npos && digits > 0 && digits <= 6 && digits + 1 == text.size();
    if (is_good) {
        const int count = std::stoi(text.substr(0, digits));
        if (text.back() == 'h') return std::chrono::hours(count);
        if (text.back() == 'd') return std::chrono::hours(24) * count;
        if (text.back() == 'w') return std::chrono::hours(24 * 7) * count;
    }
    return fail(Code::InvalidRequest,
                "expected a time of the form 30d, 12h or 4w, found '" + text + "'",
                "--expiring");
}

/// Makes the job, or finds the one that is to be watched again.
Result<> begin_rotation(const jobs::Context& context, RotateOptions& options) {
    const bool has_job = !options.order.job_id.empty();
    if (has_job && options.selections() == 0) {
        auto there = flows::find_rotation_job(context.store, options.order.job_id);
        return there ? Result<>() : std::move(there).error();
    }
    if (options.selections() != 1) {
        return could_not_run(fail(Code::InvalidRequest,
                                  "expected one of --group, --thing and --expiring, or --job alone "
                                  "to go on watching one; see hatchery rotate --help"));
    }
    if (!options.expiring.empty()) {
        auto within = parse_expiring(options.expiring);
        if (!within) return could_not_run(std::move(within).error());
        options.order.expiring = *within;
    }
    if (!has_job) options.order.job_id = "rotate-" + to_hex(ca::random_bytes(6));
    return flows::order_rotation(context, options.order, clock_now());
}

class RotationBar {
  public:
    /// Draws what has changed: a bar on a terminal, else a line.
    void show(const flows::RotationStanding& standing) {
        const std::int64_t total = standing.total(), over = total - standing.open();
        const std::int64_t begun = over + standing.count(ExecutionStatus::InProgress);
        if (over == over_ && begun == begun_ && total == total_) return;
        over_ = over;
        begun_ = begun;
        total_ = total;
        const auto full =
            static_cast<std::size_t>(kWidth * over / std::max<std::int64_t>(total, 1));
        std::fprintf(stderr,
                     "%s[%-40s] %lld of %lld devices, %lld rotated, %lld in progress%s",
                     is_terminal_ ? "\r" : "",
                     std::string(full, '#').c_str(),
                     static_cast<long long>(over),
                     static_cast<long long>(total),
                     static_cast<long long>(standing.count(ExecutionStatus::Succeeded)),
                     static_cast<long long>(standing.count(ExecutionStatus::InProgress)),
                     is_terminal_ ? " " : "\n");
    }
    void end() const {
        if (is_terminal_) std::fputc('\n', stderr);
    }

  private:
    static constexpr std::int64_t kWidth = 40;
    bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::int64_t over_ = -1, begun_ = -1, total_ = -1;
};

/// Until the job is over.
Result<flows::RotationStanding> watch_rotation(store::Store& store, const std::string& job_id) {
    RotationBar bar;
    for (;;) {
        auto standing = flows::find_rotation_job(store, job_id);
        if (!standing) return standing;
        bar.show(*standing);
        if (standing->is_over()) {
            bar.end();
            return standing;
        }
        std::this_thread::sleep_for(kLookAgain);
    }
}

nlohmann::json rotated_json(const flows::RotatedThing& thing) {
    const auto& execution = thing.execution;
    nlohmann::json line = {{"thing", execution.thing_name},
                           {"status", registry::to_string(execution.status)},
                           {"attempts", execution.attempts + 1},
                           {"certificates", nlohmann::json::array()}};
    if (execution.details)
        line["details"] = nlohmann::json::parse(*execution.details, nullptr, false);
    for (const auto& certificate : thing.certificates) {
        line["certificates"].push_back({{"certificateId", certificate.id.hex()},
                                        {"notAfter", to_iso8601(certificate.not_after)}});
    }
    return line;
}

std::string dump_line(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// One line of JSON a device: what became of it, why, and which certificates work for it now.
Result<> write_report(store::Store& store, const registry::Job& job, const std::string& path) {
    std::string lines;
    auto read = flows::for_each_rotated(store, job, [&](const flows::RotatedThing& thing) {
        lines += dump_line(rotated_json(thing));
        return Result<>();
    });
    if (!read) return read;
    return write_file(path, lines, kPublic, Existing::Replace);
}

std::string summary_text(const flows::RotationStanding& standing) {
    std::string text = "job " + standing.job.id + ": " +
                       std::string(registry::to_string(standing.job.status)) + ", " +
                       std::to_string(standing.total()) + " devices";
    for (std::size_t i = 0; i < standing.counts.size(); ++i) {
        if (standing.counts[i] == 0) continue;
        text += ", " + std::to_string(standing.counts[i]) + " " +
                std::string(registry::to_string(static_cast<ExecutionStatus>(i)));
    }
    return text + "\n";
}

/// The same as JSON, with the devices that have not exchanged theirs.
Result<std::string> summary_json(store::Store& store, const flows::RotationStanding& standing) {
    nlohmann::json summary = {{"jobId", standing.job.id},
                              {"status", registry::to_string(standing.job.status)},
                              {"devices", standing.total()},
                              {"executions", nlohmann::json::object()},
                              {"notRotated", nlohmann::json::array()}};
    for (std::size_t i = 0; i < standing.counts.size(); ++i) {
        if (standing.counts[i] == 0) continue;
        const auto status = registry::to_string(static_cast<ExecutionStatus>(i));
        summary["executions"][std::string(status)] = standing.counts[i];
    }
    auto read = flows::for_each_rotated(store, standing.job, [&](const auto& thing) {
        if (thing.execution.status != ExecutionStatus::Succeeded) {
            summary["notRotated"].push_back(rotated_json(thing));
        }
        return Result<>();
    });
    if (!read) return std::move(read).error();
    return dump_line(summary);
}

void explain_watch(const DataDirectory& data, const std::string& job_id) {
    const auto ports = running_ports(data.layout());
    if (ports && !*ports) {
        std::fprintf(stderr,
                     "no server runs on this directory: devices wait for `hatchery serve`\n");
    }
    std::fprintf(stderr,
                 "job %s; if this command ends before it does: hatchery rotate --job %s\n",
                 job_id.c_str(),
                 job_id.c_str());
}

Result<> run_rotate(RotateOptions options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    const jobs::Context context{**store, data->config().account, {}};
    if (auto begun = begin_rotation(context, options); !begun) return begun;
    const std::string& job_id = options.order.job_id;
    if (options.is_detached) {
        return print(options.is_json ? dump_line({{"jobId", job_id}}) : job_id + "\n");
    }
    explain_watch(*data, job_id);
    auto standing = watch_rotation(**store, job_id);
    if (!standing) return std::move(standing).error();
    if (!options.report.empty()) {
        auto written = write_report(**store, standing->job, options.report);
        if (!written) return written;
    }
    auto text = options.is_json ? summary_json(**store, *standing)
                                : Result<std::string>(summary_text(*standing));
    if (!text) return std::move(text).error();
    if (auto printed = print(*text); !printed) return printed;
    const auto rest = standing->total() - standing->count(ExecutionStatus::Succeeded);
    if (rest == 0) return {};
    return fail(Code::Conflict,
                std::to_string(rest) +
                    " devices have the certificate that they had; --report FILE tells which");
}

}  // namespace

void add_rotate_command(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("rotate", "Have devices exchange their certificates, by a job");
    auto options = std::make_shared<RotateOptions>();
    auto& order = options->order;
    command->add_option("--group", order.group, "Things of this group and those below");
    command->add_option("--thing", order.thing, "One thing");
    command->add_option(
        "--expiring", options->expiring, "Things whose certificate ends within 30d, 12h, 4w …");
    command->add_option("--job",
                        order.job_id,
                        "The job's id (default: rotate- and a random number); alone: watch again");
    command->add_option("--timeout", order.timeout_minutes, "Minutes that a device may take")
        ->check(CLI::Range(1, 10080))
        ->capture_default_str();
    command->add_option("--retries", order.retries, "Of a device that fails or takes too long")
        ->check(CLI::Range(0, 10))
        ->capture_default_str();
    command->add_option("--per-minute", order.per_minute, "Ask so many devices a minute")
        ->check(CLI::Range(1, 1000));
    command->add_option(
        "--report", options->report, "File for a line of JSON a device, at the end");
    command->add_flag("--json", options->is_json, "The summary as one JSON object");
    command->add_flag("--detach", options->is_detached, "Print the job's id and do not wait");
    add_data_option(*command, options->data);
    command->footer(
        "Example:\n  hatchery rotate --group pumps --data demo\n\n"
        "A device makes a key of its own and gets the next certificate over its own connection.\n"
        "The present one is retired when the next one has connected, not before. The server does\n"
        "the work; this command watches, and can be run again with --job. Exit code 1 if a device\n"
        "did not exchange its certificate.");
    on_run(*command, exit_code, [options] { return run_rotate(*options); });
}

}  // namespace hatchery::command
