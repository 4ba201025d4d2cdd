// Why an attempt ended as it did: a Trace goes with each attempt, step by step, and the TraceLog
// makes it durable afterwards, outside the attempt's own commit and never in its way.
#pragma once

#include "ca/certificate.h"
#include "provisioning/registry/attempts.h"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace hatchery::flows {

/// One attempt as it goes on. One thread.
class Trace {
  public:
    Trace(registry::AttemptKind kind, Time now);

    /// Who asks: its id, serial numbers and subject's serial number become names of the attempt.
    void asker(const ca::Certificate& certificate);
    void asker(const CertificateId& certificate);
    void client(std::string_view client_id, std::string_view source = {});
    /// Another name that somebody may look for; an empty one is none.
    void name(std::string_view name);
    void names_of(const ca::Certificate& certificate);
    void thing(std::string_view thing);
    void template_name(std::string_view name);

    /// What is looked at now; the step before has passed.
    void begin(std::string_view step, std::string expected = {});
    /// What the current step met: its answer, and where that stands.
    void found(std::string found, std::string where = {});
    /// The current step failed; the first failure stays.
    void fail(const Error& error);
    /// The whole attempt, with `refusal` as its end if there is one. Nothing else may be called
    /// afterwards.
    registry::Attempt finish(const Error* refusal);

  private:
    registry::Attempt attempt_;
    std::size_t bytes_ = 0;  // of texts; bounded, since devices choose some of them
    bool has_failed_ = false;
};

/// Writes traces in batches on a thread of its own. What comes while the store is slow is dropped
/// and counted, successes first: a flow never waits for it. Thread-safe.
class TraceLog {
  public:
    struct Limits {
        std::size_t max_waiting = 4096;
        std::int64_t max_refusals = registry::kMaxRefusals;
        std::int64_t max_successes = registry::kMaxSuccesses;
    };
    /// `store` outlives the object.
    explicit TraceLog(store::Store& store) : TraceLog(store, Limits()) {}
    TraceLog(store::Store& store, Limits limits);
    /// Writes what waits, then ends.
    ~TraceLog();
    TraceLog(const TraceLog&) = delete;
    TraceLog& operator=(const TraceLog&) = delete;

    void record(registry::Attempt attempt);
    /// Waits until everything recorded before the call is durable, or dropped.
    void flush();
    /// How many were dropped so far.
    std::uint64_t dropped() const;

  private:
    using Batch = std::vector<registry::Attempt>;
    void run();
    void write(Batch batch);

    store::Store& store_;
    const Limits limits_;
    // Keys of what was written lately, by what makes attempts identical; the thread's own.
    std::map<std::string, std::int64_t> recent_;
    std::uint64_t written_ = 0;  // since the last trim
    mutable std::mutex mutex_;   // guards what follows
    std::condition_variable changed_;
    Batch waiting_;
    std::uint64_t dropped_ = 0;
    bool is_writing_ = false;
    bool is_urgent_ = false;  // somebody waits in flush
    bool is_stopping_ = false;
    std::thread thread_;
};

/// Ends `trace` and records it; `log` may be none.
void record(TraceLog* log, Trace& trace, const Error* refusal);

}  // namespace hatchery::flows
