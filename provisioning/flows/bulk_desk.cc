#include "provisioning/flows/bulk_desk.h"

#include "provisioning/flows/bulk.h"
#include "provisioning/flows/log.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <utility>

namespace hatchery::flows {

namespace fs = std::filesystem;

namespace {

using registry::RegistrationTask;
using Status = registry::RegistrationTaskStatus;

constexpr std::chrono::seconds kBulkRetryAfter{1};  // a store that could not be written
constexpr std::chrono::hours kBulkHouse{1};         // between two looks for what is too old
constexpr int kForgottenAtOnce = 2'000;             // lines in one write: others wait for no more

std::string report_prefix(ReportType type) {
    return type == ReportType::Results ? "results-" : "errors-";
}

/// A report as numbered files of JSON lines. The one being written has another ending; it is moved
/// into place when it is full or the task is over.
class ReportWriter {
  public:
    ReportWriter(fs::path folder, ReportType type)
        : folder_(std::move(folder)), prefix_(report_prefix(type)) {}

    Result<> put(const std::string& line) {
        if (!file_.is_open()) {
            file_.open(path(".part"), std::ios::trunc | std::ios::binary);
        }
        file_ << line;
        if (!file_) return cannot_write();
        return ++lines_ < BulkDesk::kLinesAFile ? Result<>() : close();
    }
    Result<> close() {
        if (!file_.is_open()) return {};
        file_.close();
        if (!file_) return cannot_write();
        std::error_code problem;
        fs::rename(path(".part"), path(".jsonl"), problem);
        if (problem) return cannot_write();
        lines_ = 0;
        ++number_;
        return {};
    }

  private:
    fs::path path(const char* ending) const {
        char digits[16];
        std::snprintf(digits, sizeof digits, "%06d", number_);
        return folder_ / (prefix_ + digits + ending);
    }
    Error cannot_write() const {
        return fail(Code::Unavailable, "cannot write " + path(".part").string());
    }

    fs::path folder_;
    std::string prefix_;
    std::ofstream file_;
    std::int64_t lines_ = 0;
    int number_ = 1;
};

}  // namespace

std::string_view to_string(ReportType type) {
    return type == ReportType::Results ? "RESULTS" : "ERRORS";
}

BulkDesk::BulkDesk(Service& service, BulkPlaces places)
    : service_(service),
      places_(std::move(places)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

BulkDesk::~BulkDesk() = default;  // the thread is asked to stop, wakes, and is waited for

void BulkDesk::wake() {
    const std::lock_guard lock(mutex_);
    is_awake_ = true;
    changed_.notify_all();
}

Result<fs::path> BulkDesk::input_file(std::string_view bucket, std::string_view key) const {
    const auto folder = places_.buckets.find(bucket);
    if (folder == places_.buckets.end()) {
        return fail(Code::InvalidRequest,
                    "expected a bucket that [bulk.buckets] of hatchery.toml names, found " +
                        std::string(bucket),
                    "/inputFileBucket");
    }
    std::error_code problem;
    const fs::path root = fs::weakly_canonical(folder->second, problem);
    const fs::path file = fs::weakly_canonical(root / fs::path(key).relative_path(), problem);
    const bool is_inside =
        std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
    if (problem || !is_inside || !fs::is_regular_file(file, problem)) {
        return fail(Code::InvalidRequest,
                    "expected a file of the bucket " + std::string(bucket) + ", found no " +
                        std::string(key) + " in it",
                    "/inputFileKey");
    }
    return file;
}

std::vector<fs::path> BulkDesk::report_files(std::string_view task, ReportType type) const {
    std::vector<fs::path> files;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(places_.reports / task, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(report_prefix(type)) && name.ends_with(".jsonl")) {
            files.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

void BulkDesk::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, stop, kBulkHouse, [&] { return is_awake_; });
            is_awake_ = false;
        }
        if (stop.stop_requested()) return;
        if (auto forgotten = forget_old(clock_now()); !forgotten) {
            log()->error("bulk_not_forgotten reason=\"{}\"", to_string(forgotten.error()));
        }
        auto task = service_.store.read(
            [](store::Reader& reader) { return registry::open_registration_task(reader); });
        if (task) work_on(std::move(*task), stop);
    }
}

void BulkDesk::work_on(RegistrationTask task, const std::stop_token& stop) {
    log()->info("bulk_started task={} status={}", task.id, registry::to_string(task.status));
    auto done = register_file(task, stop);
    if (stop.stop_requested()) return;
    if (!done && done.error().code == Code::Unavailable) {
        // Neither the template's nor the file's fault: the lines that are open stay so.
        log()->error("bulk_waits task={} reason=\"{}\"", task.id, to_string(done.error()));
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, kBulkRetryAfter, [] { return false; });
        is_awake_ = true;
        return;
    }
    if (!done) {
        task.status = Status::Failed;
        task.message = to_string(done.error());
    }
    if (auto saved = save(task); !saved) {
        log()->error("bulk_not_saved task={} reason=\"{}\"", task.id, to_string(saved.error()));
        wake();
        return;
    }
    log()->info("bulk_ended task={} status={} successes={} failures={}",
                task.id,
                registry::to_string(task.status),
                task.successes,
                task.failures);
}

Result<> BulkDesk::register_file(RegistrationTask& task, const std::stop_token& stop) {
    auto path = input_file(task.bucket, task.file);
    if (!path) return std::move(path).error();
    std::error_code problem;
    const auto size = std::max<std::uintmax_t>(1, fs::file_size(*path, problem));
    std::ifstream input(*path, std::ios::binary);
    if (!input) return fail(Code::InvalidRequest, "cannot read " + task.file, "/inputFileKey");
    // Written anew: what earlier runs registered is told again, from the registry.
    const fs::path folder = places_.reports / task.id;
    fs::remove_all(folder, problem);
    fs::create_directories(folder, problem);
    if (problem) return fail(Code::Unavailable, "cannot make " + folder.string());
    ReportWriter results(folder, ReportType::Results);
    ReportWriter errors(folder, ReportType::Errors);

    bool is_cancelled = false;
    BulkOptions options;
    options.requester = "api:StartThingRegistrationTask";
    options.report = [&](const BulkResult& result) {
        return (result.outcome ? results : errors).put(to_json_line(result));
    };
    options.go_on = [&](const BulkProgress& progress) {
        task.successes = progress.successes;
        task.failures = progress.failures;
        task.percentage = static_cast<int>(
            std::min<std::int64_t>(99, 100 * progress.bytes / static_cast<std::int64_t>(size)));
        if (auto saved = save(task); !saved) return true;  // the next chunk's write says it
        auto now = service_.store.read([&](store::Reader& reader) {
            return registry::find_registration_task(reader, task.id);
        });
        is_cancelled = now && now->status == Status::Cancelling;
        return !is_cancelled && !stop.stop_requested();
    };
    if (task.status == Status::Cancelling) {
        task.status = Status::Cancelled;
        return {};
    }
    auto done = register_lines(service_, task, input, options);
    if (!done) return std::move(done).error();
    if (stop.stop_requested()) return {};
    if (auto closed = results.close(); !closed) return closed;
    if (auto closed = errors.close(); !closed) return closed;
    task.successes = done->successes;
    task.failures = done->failures;
    task.status = is_cancelled ? Status::Cancelled : Status::Completed;
    if (!is_cancelled) task.percentage = 100;
    return {};
}

/// Tasks that are over and older than they are kept, with their lines and reports.
Result<> BulkDesk::forget_old(Time now) {
    auto old = service_.store.read([&](store::Reader& reader) {
        return registry::old_registration_tasks(reader, now - service_.settings.keep_registrations);
    });
    if (!old) return std::move(old).error();
    for (const auto& id : *old) {
        std::error_code ignored;
        fs::remove_all(places_.reports / id, ignored);
        for (bool is_gone = false; !is_gone;) {
            auto forgotten = service_.store.write([&](store::Tx& tx) {
                return registry::forget_registration_task(tx, id, kForgottenAtOnce);
            });
            if (!forgotten) return std::move(forgotten).error();
            is_gone = *forgotten;
        }
        log()->info("bulk_forgotten task={}", id);
    }
    return {};
}

Result<> BulkDesk::save(const RegistrationTask& task) {
    return service_.store.write(
        [&](store::Tx& tx) { return registry::update_registration_task(tx, task, clock_now()); });
}

}  // namespace hatchery::flows
