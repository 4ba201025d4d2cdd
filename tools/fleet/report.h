// What became of each device: a JSON line as soon as it knows, a progress bar, a closing table.
#pragma once

#include "ca/base/error.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace hatchery::fleet {

/// provisioned: the server accepted it. refused: the server said no, or closed every connection
/// before it accepted. failed: no answer, or none that could be used.
enum class Outcome { Provisioned, Refused, Failed };
std::string to_string(Outcome outcome);

struct DeviceResult {
    std::string serial;
    std::string thing;
    Outcome outcome = Outcome::Failed;
    std::string reason;  ///< short, the same for all devices with one fate: "AccessDenied"
    std::string message;
    std::string certificate_id;
    double ms_first_connect = 0;  ///< until accepted, with all retries
};

/// One line of the --out file, without a newline.
std::string to_json(const DeviceResult& result);

/// The value below or at which `percent` of `values` lie (nearest rank); 0 for none.
double percentile(std::vector<double> values, double percent);

struct Summary {
    std::uint64_t devices = 0;
    std::uint64_t provisioned = 0;
    std::uint64_t refused = 0;
    std::uint64_t failed = 0;
    std::uint64_t messages = 0;                    ///< telemetry messages that were acknowledged
    std::map<std::string, std::uint64_t> reasons;  ///< of refusals and failures, with counts
    std::vector<std::string> unexpected;           ///< "SERIAL: what was expected and found"
    double p50_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
    double seconds = 0;
};
std::string to_table(const Summary& summary);
std::string to_json(const Summary& summary);

/// Collects results. Thread-safe.
class Report {
  public:
    Report(std::size_t devices, std::set<std::string> expected_refused);

    /// Results are written to this file, each before add() returns.
    /// @errors InvalidRequest  it can't be opened
    Result<> open(const std::string& path);
    void add(const DeviceResult& result);
    void message_acknowledged();
    /// A provisioned device that could not go on: its reason.
    void unfinished(const std::string& serial, const std::string& reason);
    std::uint64_t finished() const { return finished_; }
    Summary summary(std::chrono::duration<double> took) const;

  private:
    mutable std::mutex mutex_;
    std::size_t devices_;
    std::set<std::string> expected_refused_;
    std::ofstream out_;
    Summary summary_;
    std::vector<double> milliseconds_;
    std::atomic<std::uint64_t> finished_ = 0;
};

/// "[=====>     ] 12/20 devices", for a terminal of any width from 40 columns.
std::string progress_bar(std::uint64_t finished, std::uint64_t devices);

/// Shows progress on stderr until this object ends: a bar on a terminal, else a line now and then.
class Progress {
  public:
    Progress(const Report& report, std::uint64_t devices);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

  private:
    void run();

    const Report& report_;
    std::uint64_t devices_;
    bool is_terminal_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_done_ = false;
    std::thread thread_;
};

}  // namespace hatchery::fleet
