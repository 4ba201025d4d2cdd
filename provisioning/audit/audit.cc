#include "provisioning/audit/audit.h"

#include "provisioning/audit/checks.h"
#include "provisioning/audit/log.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <set>

namespace hatchery::audit {
namespace {

using registry::AuditCheckRun;
using registry::AuditCheckStatus;
using registry::AuditFinding;
using registry::AuditTask;
using registry::AuditTaskStatus;
using std::chrono::days;

constexpr std::size_t kFindingsAtOnce = 500;  // in one write: others wait for no more
// What ends a check early; no user sees these.
constexpr std::string_view kCanceled = "canceled", kStopped = "stopped";

/// What nobody wants to hear of, as it is when a check begins.
using Suppressed = std::set<std::pair<std::string, std::string>>;
Result<Suppressed> suppressed_now(store::Store& store, Time now) {
    auto all = store.read(registry::audit_suppressions);
    if (!all) return std::move(all).error();
    Suppressed active;
    for (auto& one : *all) {
        if (!one.expires || *one.expires > now) active.emplace(one.check, one.identifier);
    }
    return active;
}

/// One check of one task: counts, and writes findings a few hundred at a time.
class Run {
  public:
    Run(store::Store& store,
        const AuditTask& task,
        const Check& check,
        Suppressed suppressed,
        std::stop_token stop)
        : store_(store), task_(task), suppressed_(std::move(suppressed)), stop_(std::move(stop)) {
        run_.name = check.name;
        run_.status = AuditCheckStatus::InProgress;
    }

    Result<> add(AuditFinding finding) {
        finding.suppressed = suppressed_.contains({finding.check, finding.resource.identifier});
        ++(finding.suppressed ? run_.suppressed : run_.non_compliant);
        waiting_.push_back(std::move(finding));
        return waiting_.size() < kFindingsAtOnce ? Result<>() : write();
    }
    Result<> looked_at(std::int64_t count) {
        if (stop_.stop_requested())
            return fail(Code::Unavailable, "the server stops", std::string(kStopped));
        run_.total += count;
        if (run_.total / kProgress == (run_.total - count) / kProgress) return {};
        return write();
    }
    Result<> end(const Result<>& outcome) {
        if (!outcome && outcome.error().where == kStopped) return outcome;
        if (outcome) {
            run_.status = run_.non_compliant > 0 ? AuditCheckStatus::NonCompliant
                                                 : AuditCheckStatus::Compliant;
        } else if (outcome.error().where == kCanceled) {
            run_.status = AuditCheckStatus::Canceled;
        } else {
            run_.status = AuditCheckStatus::Failed;
            run_.message = outcome.error().message;
            log()->error("audit_check_failed task={} check={} why={}",
                         task_.id,
                         run_.name,
                         log_value(to_string(outcome.error())));
        }
        auto written = write();
        return !written && written.error().where == kCanceled ? Result<>() : written;
    }

  private:
    static constexpr std::int64_t kProgress = 10'000;  // resources between two lines of progress

    /// Findings and progress; refused once the task is canceled.
    Result<> write() {
        auto still = store_.write([&](store::Tx& tx) -> Result<bool> {
            for (const auto& finding : waiting_) {
                if (auto added = registry::add_audit_finding(tx, task_.key, finding); !added)
                    return std::move(added).error();
            }
            if (auto set = registry::set_audit_check(tx, task_.key, run_); !set)
                return std::move(set).error();
            auto now = registry::find_audit_task(tx, task_.id);
            if (!now) return std::move(now).error();
            return now->status == AuditTaskStatus::InProgress;
        });
        if (!still) return std::move(still).error();
        waiting_.clear();
        if (*still) return {};
        return fail(Code::Conflict, "the task was canceled", std::string(kCanceled));
    }

    store::Store& store_;
    const AuditTask& task_;
    Suppressed suppressed_;
    std::stop_token stop_;
    AuditCheckRun run_;
    std::vector<AuditFinding> waiting_;
};

Result<> run_check(store::Store& store,
                   const registry::Account& account,
                   const AuditTask& task,
                   const Check& check,
                   const std::map<std::string, std::string>& configuration,
                   Time now,
                   const std::stop_token& stop,
                   const Surroundings& surroundings) {
    auto suppressed = suppressed_now(store, now);
    if (!suppressed) return std::move(suppressed).error();
    Run run(store, task, check, std::move(*suppressed), stop);
    const Inspection inspection{store,
                                account,
                                now,
                                configuration,
                                surroundings,
                                [&](AuditFinding finding) { return run.add(std::move(finding)); },
                                [&](std::int64_t count) { return run.looked_at(count); }};
    // What an interrupted run left.
    auto begun = store.write(
        [&](store::Tx& tx) { return registry::forget_audit_findings(tx, task.key, check.name); });
    return run.end(begun ? inspect(check, inspection) : begun);
}

}  // namespace

Result<AuditTask> run_task(store::Store& store,
                           const registry::Account& account,
                           const AuditTask& task,
                           Time now,
                           const std::stop_token& stop,
                           const Surroundings& surroundings) {
    auto configuration = store.read(registry::audit_configuration);
    if (!configuration) return std::move(configuration).error();
    for (const auto& waiting : task.checks) {
        const Check* check = find_check(waiting.name);
        auto is_over = store.read(
            [&](store::Reader& reader) { return registry::find_audit_task(reader, task.id); });
        if (!is_over) return is_over;
        if (is_over->status != AuditTaskStatus::InProgress) break;
        if (check == nullptr) continue;
        auto ran = run_check(store,
                             account,
                             task,
                             *check,
                             configuration->checks[waiting.name].configuration,
                             now,
                             stop,
                             surroundings);
        if (!ran) return std::move(ran).error();
    }
    return store.write([&](store::Tx& tx) -> Result<AuditTask> {
        auto done = registry::find_audit_task(tx, task.id);
        if (!done || done->status != AuditTaskStatus::InProgress) return done;
        const bool all_failed =
            std::all_of(done->checks.begin(), done->checks.end(), [](const auto& run) {
                return run.status == AuditCheckStatus::Failed;
            });
        done->status = all_failed ? AuditTaskStatus::Failed : AuditTaskStatus::Completed;
        if (auto set = registry::set_audit_task_status(tx, done->key, done->status); !set)
            return std::move(set).error();
        return done;
    });
}

Time last_due(const registry::ScheduledAudit& audit, Time now) {
    using namespace std::chrono;
    const auto is_due = [&](sys_days day) {
        const year_month_day date(day);
        const bool is_weekday =
            weekday(day).c_encoding() == static_cast<unsigned>(audit.day_of_week.value_or(0));
        switch (audit.frequency) {
            case registry::AuditFrequency::Daily:
                return true;
            case registry::AuditFrequency::Weekly:
                return is_weekday;
            case registry::AuditFrequency::Biweekly:
                // Weeks are counted from 1970, so that a restart changes nothing.
                return is_weekday && (day.time_since_epoch().count() / 7) % 2 == 0;
            case registry::AuditFrequency::Monthly:
                break;
        }
        // 29 to 31 stand for the last day of a month that is shorter, as LAST does.
        const unsigned last =
            static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day());
        const auto wanted = static_cast<unsigned>(audit.day_of_month.value_or(1));
        return static_cast<unsigned>(date.day()) == (wanted == 0 ? last : std::min(wanted, last));
    };
    auto day = floor<days>(now);
    while (!is_due(day))
        day -= days(1);
    return Time(day);
}

Result<int> start_due(store::Store& store, Time now) {
    auto all = store.read(registry::scheduled_audits);
    if (!all) return std::move(all).error();
    int started = 0;
    for (auto& audit : *all) {
        // One that is made in the afternoon does not run for that morning.
        if (last_due(audit, now) <= audit.last_run.value_or(audit.created)) continue;
        auto added = store.write([&](store::Tx& tx) -> Result<> {
            auto task = registry::add_audit_task(tx, audit.checks, audit.name, now);
            if (!task) return std::move(task).error();
            auto still = registry::find_scheduled_audit(tx, audit.name);
            if (!still) return std::move(still).error();
            still->last_run = now;
            return registry::update_scheduled_audit(tx, *still);
        });
        if (!added && added.error().code == Code::NotFound) continue;  // deleted meanwhile
        if (!added) return std::move(added).error();
        ++started;
    }
    return started;
}

}  // namespace hatchery::audit
