// The control plane's bulk registrations: one task at a time, on a thread of its own, with its
// reports as files. A task that a stopped or killed server left is gone on with.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/registry/registration_tasks.h"

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hatchery::flows {

enum class ReportType { Results, Errors };
std::string_view to_string(ReportType type);  ///< AWS's spelling, "RESULTS"

/// Where the files of bulk registrations are.
struct BulkPlaces {
    /// Folders of input files, by the name that inputFileBucket gives.
    std::map<std::string, std::filesystem::path, std::less<>> buckets;
    std::filesystem::path reports;  ///< a folder a task below it, made when needed
};

class BulkDesk {
  public:
    /// Lines in one file of a report: a link's answer stays small.
    static constexpr std::int64_t kLinesAFile = 10'000;

    /// `service` outlives the object.
    BulkDesk(Service& service, BulkPlaces places);
    /// Stops after the chunks at hand; the task stays open.
    ~BulkDesk();
    BulkDesk(const BulkDesk&) = delete;
    BulkDesk& operator=(const BulkDesk&) = delete;

    /// Looks for an open task now.
    void wake();
    /// @errors InvalidRequest  no such bucket, a key that leaves its folder, no such file; `where`
    /// = the member
    Result<std::filesystem::path> input_file(std::string_view bucket, std::string_view key) const;
    /// The report's files that are whole, in order.
    std::vector<std::filesystem::path> report_files(std::string_view task, ReportType type) const;

  private:
    void run(const std::stop_token& stop);
    void work_on(registry::RegistrationTask task, const std::stop_token& stop);
    Result<> register_file(registry::RegistrationTask& task, const std::stop_token& stop);
    Result<> save(const registry::RegistrationTask& task);
    Result<> forget_old(Time now);

    Service& service_;
    const BulkPlaces places_;
    std::mutex mutex_;  // guards is_awake_
    std::condition_variable_any changed_;
    bool is_awake_ = true;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace hatchery::flows
