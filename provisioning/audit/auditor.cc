#include "provisioning/audit/auditor.h"

#include "provisioning/audit/log.h"

#include <httplib.h>
#include <nlohmann/json.hpp>
#include <spdlog/logger.h>

#include <exception>

namespace hatchery::audit {
namespace {

constexpr std::chrono::seconds kLook{1}, kHouse{60}, kWebhookTimeout{10};
constexpr int kForgetAtOnce = 2'000;

struct Url {
    std::string origin, path;
};
Result<Url> parse_url(const std::string& url) {
    const auto scheme_end = url.find("://");
    const std::string scheme = url.substr(0, scheme_end);
    if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https")) {
        return fail(Code::InvalidRequest, "expected an http or https URL, found '" + url + "'");
    }
    const auto path = url.find('/', scheme_end + 3);
    if (path == std::string::npos) return Url{url, "/"};
    return Url{url.substr(0, path), url.substr(path)};
}

}  // namespace

std::string notification(const registry::Account& account, const registry::AuditTask& task) {
    nlohmann::ordered_json json;
    json["accountId"] = account.id;
    json["taskId"] = task.id;
    json["taskStatus"] = registry::to_string(task.status);
    json["taskType"] = task.schedule ? "SCHEDULED_AUDIT_TASK" : "ON_DEMAND_AUDIT_TASK";
    if (task.schedule) json["scheduledAuditName"] = *task.schedule;
    json["taskStartTime"] = task.started.time_since_epoch().count();
    json["auditDetails"] = nlohmann::ordered_json::array();
    for (const auto& run : task.checks) {
        json["auditDetails"].push_back({{"checkName", run.name},
                                        {"checkRunStatus", registry::to_string(run.status)},
                                        {"totalResourcesCount", run.total},
                                        {"nonCompliantResourcesCount", run.non_compliant},
                                        {"suppressedNonCompliantResourcesCount", run.suppressed}});
    }
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<> post_to_webhook(const std::string& url, const std::string& body) {
    auto parts = parse_url(url);
    if (!parts) return std::move(parts).error();
    try {
        httplib::Client client(parts->origin);
        client.set_connection_timeout(kWebhookTimeout);
        client.set_read_timeout(kWebhookTimeout);
        client.set_write_timeout(kWebhookTimeout);
        client.enable_server_certificate_verification(true);
        const auto answer = client.Post(parts->path, body, "application/json");
        if (!answer) {
            return fail(Code::Unavailable, "no answer: " + httplib::to_string(answer.error()));
        }
        if (answer->status / 100 == 2) return {};
        return fail(Code::Unavailable,
                    "expected a 2xx answer, found " + std::to_string(answer->status));
    } catch (const std::exception& error) {
        return fail(Code::Unavailable, std::string("no answer: ") + error.what());
    }
}

Auditor::Auditor(store::Store& store, registry::Account account, AuditorOptions options)
    : store_(store),
      account_(std::move(account)),
      options_(std::move(options)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Result<bool> Auditor::run_next(Time now, const std::stop_token& stop) {
    auto task = store_.read(registry::next_audit_task);
    if (!task) return std::move(task).error();
    if (!*task) return false;
    auto done = run_task(store_, account_, **task, now, stop, options_.surroundings);
    if (!done && stop.stop_requested()) return false;
    if (!done) return std::move(done).error();
    log()->info("audit_ended task={} status={}", done->id, registry::to_string(done->status));
    if (options_.webhook.empty() || done->status == registry::AuditTaskStatus::Canceled)
        return true;
    if (auto told = post_to_webhook(options_.webhook, notification(account_, *done)); !told) {
        log()->warn(
            "audit_webhook_failed task={} why={}", done->id, log_value(to_string(told.error())));
    }
    return true;
}

Result<> Auditor::keep_house(Time now) {
    if (auto started = start_due(store_, now); !started) return std::move(started).error();
    auto forgotten = store_.write([&](store::Tx& tx) {
        return registry::forget_connect_conflicts(tx, now - options_.keep_for);
    });
    if (!forgotten) return forgotten;
    while (true) {
        auto gone = store_.write([&](store::Tx& tx) {
            return registry::delete_old_audits(tx, now - options_.keep_for, kForgetAtOnce);
        });
        if (!gone) return std::move(gone).error();
        if (*gone == 0) return {};
    }
}

void Auditor::run(const std::stop_token& stop) {
    Time next_house{};
    while (!stop.stop_requested()) {
        const Time now = clock_now();
        if (now >= next_house) {
            next_house = now + kHouse;
            if (auto kept = keep_house(now); !kept)
                log()->error("audit_schedule_failed why={}", log_value(to_string(kept.error())));
        }
        auto ran = run_next(now, stop);
        if (!ran) log()->error("audit_failed why={}", log_value(to_string(ran.error())));
        if (ran && *ran) continue;
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, kLook, [] { return false; });
    }
}

}  // namespace hatchery::audit
