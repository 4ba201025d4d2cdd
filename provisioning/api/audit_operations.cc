// Device Defender's audits: configuration, tasks and findings. The tasks run elsewhere
// (provisioning/audit); here they are begun, watched and read.
#include "provisioning/api/audit_shapes.h"
#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/audit/audit.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::api::audits {
namespace {

using nlohmann::json;
using registry::AuditCheckStatus;
using registry::AuditTask;
using registry::AuditTaskStatus;

constexpr const char* kOnDemand = "ON_DEMAND_AUDIT_TASK";
constexpr const char* kScheduled = "SCHEDULED_AUDIT_TASK";
constexpr std::size_t kMostTasks = 10;  // in progress at once, a quota of Device Defender

Result<registry::AuditConfiguration> configuration(const Call& call) {
    return call.service.store.read(registry::audit_configuration);
}

Result<registry::AuditNotification> read_notification(const Input& input) {
    registry::AuditNotification target;
    auto arn = input.optional_text("targetArn");
    if (!arn) return std::move(arn).error();
    auto role = input.optional_text("roleArn");
    if (!role) return std::move(role).error();
    auto enabled = input.optional_flag("enabled");
    if (!enabled) return std::move(enabled).error();
    target.target_arn = arn->value_or("");
    target.role_arn = role->value_or("");
    target.enabled = enabled->value_or(false);
    return target;
}

/// auditNotificationTargetConfigurations {SNS: {…}}
Result<> update_notifications(const Input& input, registry::AuditConfiguration& configuration) {
    auto targets = input.optional_object("auditNotificationTargetConfigurations");
    if (!targets) return std::move(targets).error();
    if (!*targets) return {};
    for (const auto& name : (*targets)->member_names()) {
        if (name != "SNS") {
            return fail(Code::InvalidRequest,
                        "expected SNS, found '" + name + "'",
                        "/auditNotificationTargetConfigurations");
        }
        auto target = (*targets)->object(name);
        if (!target) return std::move(target).error();
        auto read = read_notification(*target);
        if (!read) return std::move(read).error();
        configuration.sns = std::move(*read);
    }
    return {};
}

/// auditCheckConfigurations {NAME: {enabled, configuration}}
Result<> update_checks(const Input& input, registry::AuditConfiguration& configuration) {
    auto checks = input.optional_object("auditCheckConfigurations");
    if (!checks) return std::move(checks).error();
    if (!*checks) return {};
    for (const auto& name : (*checks)->member_names()) {
        if (audit::find_check(name) == nullptr) {
            return fail(Code::InvalidRequest,
                        "expected the name of an audit check, found '" + name + "'",
                        "/auditCheckConfigurations");
        }
        auto check = (*checks)->object(name);
        if (!check) return std::move(check).error();
        auto& setting = configuration.checks[name];
        auto enabled = check->optional_flag("enabled");
        if (!enabled) return std::move(enabled).error();
        if (*enabled) setting.enabled = **enabled;
        auto with = check->optional_text_map("configuration");
        if (!with) return std::move(with).error();
        if (!*with) continue;
        if (auto good = audit::check_setting(name, **with); !good) return good;
        setting.configuration = std::move(**with);
    }
    return {};
}

Result<> expect_enabled(const Call& call, const std::vector<std::string>& names) {
    if (auto known = audit::check_names(names); !known) return known;
    auto now = configuration(call);
    if (!now) return std::move(now).error();
    for (const auto& name : names) {
        if (now->checks[name].enabled) continue;
        return fail(Code::InvalidRequest,
                    name + " is not enabled: UpdateAccountAuditConfiguration enables it",
                    "targetCheckNames");
    }
    return {};
}

json statistics(const AuditTask& task) {
    const auto count = [&](AuditCheckStatus status) {
        return std::count_if(task.checks.begin(), task.checks.end(), [&](const auto& run) {
            return run.status == status;
        });
    };
    return {{"totalChecks", task.checks.size()},
            {"inProgressChecks", count(AuditCheckStatus::InProgress)},
            {"waitingForDataCollectionChecks", count(AuditCheckStatus::Waiting)},
            {"compliantChecks", count(AuditCheckStatus::Compliant)},
            {"nonCompliantChecks", count(AuditCheckStatus::NonCompliant)},
            {"failedChecks", count(AuditCheckStatus::Failed)},
            {"canceledChecks", count(AuditCheckStatus::Canceled)}};
}

json details(const registry::AuditCheckRun& run) {
    json one = {{"checkRunStatus", registry::to_string(run.status)},
                {"totalResourcesCount", run.total},
                {"nonCompliantResourcesCount", run.non_compliant},
                {"suppressedNonCompliantResourcesCount", run.suppressed}};
    if (run.status == AuditCheckStatus::Compliant || run.status == AuditCheckStatus::NonCompliant)
        one["checkCompliant"] = run.status == AuditCheckStatus::Compliant;
    if (!run.message.empty()) one["message"] = run.message;
    return one;
}

Result<std::optional<AuditTaskStatus>> wanted_status(const Call& call) {
    const auto text = query_text(call, "taskStatus");
    if (!text) return std::optional<AuditTaskStatus>();
    for (const auto status : {AuditTaskStatus::InProgress,
                              AuditTaskStatus::Completed,
                              AuditTaskStatus::Failed,
                              AuditTaskStatus::Canceled}) {
        if (registry::to_string(status) == *text) return std::optional(status);
    }
    return fail(Code::InvalidRequest,
                "expected IN_PROGRESS, COMPLETED, FAILED or CANCELED, found '" + *text + "'",
                "taskStatus");
}

Result<std::optional<bool>> wanted_type(const Call& call) {
    const auto text = query_text(call, "taskType");
    if (!text) return std::optional<bool>();
    if (*text == kScheduled) return std::optional(true);
    if (*text == kOnDemand) return std::optional(false);
    return fail(Code::InvalidRequest,
                "expected ON_DEMAND_AUDIT_TASK or SCHEDULED_AUDIT_TASK, found '" + *text + "'",
                "taskType");
}

Result<Time> query_time(const Call& call, std::string_view name) {
    const auto text = query_text(call, name);
    const auto time = text ? read_timestamp(*text) : std::nullopt;
    if (time) return *time;
    return fail(Code::InvalidRequest,
                "expected a time, found " + (text ? "'" + *text + "'" : std::string("nothing")),
                std::string(name));
}

json resource(const registry::AuditResource& one) {
    json body = {{"resourceType", one.type},
                 {"resourceIdentifier", json::parse(one.identifier, nullptr, false)}};
    if (!one.info.empty()) body["additionalInfo"] = one.info;
    return body;
}

json finding_json(const registry::AuditFinding& finding) {
    json related = json::array();
    for (const auto& one : finding.related)
        related.push_back(resource(one));
    return {{"findingId", finding.id},
            {"taskId", finding.task_id},
            {"checkName", finding.check},
            {"taskStartTime", epoch(finding.task_started)},
            {"findingTime", epoch(finding.found)},
            {"severity", finding.severity},
            {"nonCompliantResource", resource(finding.resource)},
            {"relatedResources", std::move(related)},
            {"reasonForNonCompliance", finding.reason},
            {"reasonForNonComplianceCode", finding.reason_code},
            {"isSuppressed", finding.suppressed}};
}

/// taskId, or startTime and endTime; the rest narrows.
Result<registry::AuditFindingFilter> read_filter(const Input& input) {
    registry::AuditFindingFilter filter;
    auto task = input.optional_text("taskId");
    if (!task) return std::move(task).error();
    auto from = optional_time(input, "startTime");
    if (!from) return std::move(from).error();
    auto to = optional_time(input, "endTime");
    if (!to) return std::move(to).error();
    if (task->has_value() == (from->has_value() || to->has_value()) ||
        from->has_value() != to->has_value()) {
        return fail(Code::InvalidRequest,
                    "expected taskId, or startTime and endTime, and not both",
                    "/taskId");
    }
    auto check = input.optional_text("checkName");
    if (!check) return std::move(check).error();
    auto about = optional_identifier(input);
    if (!about) return std::move(about).error();
    auto suppressed = input.optional_flag("listSuppressedFindings");
    if (!suppressed) return std::move(suppressed).error();
    filter.task_id = std::move(*task);
    filter.check = std::move(*check);
    filter.identifier = std::move(*about);
    filter.from = *from;
    filter.to = *to;
    filter.with_suppressed = suppressed->value_or(false);
    return filter;
}

}  // namespace

Result<std::string> update_account_audit_configuration(const Call& call) {
    auto next = configuration(call);
    if (!next) return std::move(next).error();
    auto role = call.input.optional_text("roleArn");
    if (!role) return std::move(role).error();
    if (*role) next->role_arn = **role;
    if (auto done = update_notifications(call.input, *next); !done) return std::move(done).error();
    if (auto done = update_checks(call.input, *next); !done) return std::move(done).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::set_audit_configuration(tx, *next); }));
}

Result<std::string> describe_account_audit_configuration(const Call& call) {
    auto now = configuration(call);
    if (!now) return std::move(now).error();
    json targets = json::object(), checks = json::object();
    if (now->sns) {
        targets["SNS"] = {{"enabled", now->sns->enabled}};
        if (!now->sns->target_arn.empty()) targets["SNS"]["targetArn"] = now->sns->target_arn;
        if (!now->sns->role_arn.empty()) targets["SNS"]["roleArn"] = now->sns->role_arn;
    }
    for (const auto& check : audit::all_checks()) {
        const auto& setting = now->checks[std::string(check.name)];
        json& one = checks[std::string(check.name)] = {{"enabled", setting.enabled}};
        if (!setting.configuration.empty()) one["configuration"] = setting.configuration;
    }
    json body = {{"auditNotificationTargetConfigurations", std::move(targets)},
                 {"auditCheckConfigurations", std::move(checks)}};
    if (!now->role_arn.empty()) body["roleArn"] = now->role_arn;
    return to_body(body);
}

Result<std::string> delete_account_audit_configuration(const Call& call) {
    auto schedules_too = query_flag(call, "deleteScheduledAudits", false);
    if (!schedules_too) return std::move(schedules_too).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) -> Result<> {
        auto all = registry::scheduled_audits(tx);
        if (!all) return std::move(all).error();
        if (!all->empty() && !*schedules_too) {
            return fail(Code::InvalidRequest,
                        "there are scheduled audits: expected deleteScheduledAudits=true",
                        "deleteScheduledAudits");
        }
        for (const auto& one : *all) {
            if (auto gone = registry::delete_scheduled_audit(tx, one.name); !gone) return gone;
        }
        return registry::delete_audit_configuration(tx);
    }));
}

Result<std::string> start_on_demand_audit_task(const Call& call) {
    auto names = call.input.texts("targetCheckNames");
    if (!names) return std::move(names).error();
    if (auto enabled = expect_enabled(call, *names); !enabled) return std::move(enabled).error();
    auto task = call.service.store.write([&](store::Tx& tx) -> Result<AuditTask> {
        auto running = registry::list_audit_tasks(tx,
                                                  {"", static_cast<int>(kMostTasks)},
                                                  Time(),
                                                  Time::max(),
                                                  std::nullopt,
                                                  AuditTaskStatus::InProgress);
        if (!running) return std::move(running).error();
        if (running->items.size() >= kMostTasks)
            return fail(Code::LimitExceeded, "10 audit tasks are in progress already");
        return registry::add_audit_task(tx, *names, std::nullopt, call.now);
    });
    if (!task) return std::move(task).error();
    return to_body({{"taskId", task->id}});
}

Result<std::string> describe_audit_task(const Call& call) {
    auto task = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_audit_task(reader, call.labels[0]); });
    if (!task) return std::move(task).error();
    json checks = json::object();
    for (const auto& run : task->checks)
        checks[run.name] = details(run);
    json body = {{"taskStatus", registry::to_string(task->status)},
                 {"taskType", task->schedule ? kScheduled : kOnDemand},
                 {"taskStartTime", epoch(task->started)},
                 {"taskStatistics", statistics(*task)},
                 {"auditDetails", std::move(checks)}};
    if (task->schedule) body["scheduledAuditName"] = *task->schedule;
    return to_body(body);
}

Result<std::string> cancel_audit_task(const Call& call) {
    return empty_answer(call.service.store.write([&](store::Tx& tx) -> Result<> {
        auto task = registry::find_audit_task(tx, call.labels[0]);
        if (!task) return std::move(task).error();
        if (task->status != AuditTaskStatus::InProgress) {
            return fail(Code::InvalidRequest,
                        "expected a task IN_PROGRESS, found one " +
                            std::string(registry::to_string(task->status)),
                        "taskId");
        }
        for (auto& run : task->checks) {
            if (run.status != AuditCheckStatus::Waiting) continue;
            run.status = AuditCheckStatus::Canceled;
            if (auto set = registry::set_audit_check(tx, task->key, run); !set) return set;
        }
        return registry::set_audit_task_status(tx, task->key, AuditTaskStatus::Canceled);
    }));
}

Result<std::string> list_audit_tasks(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto from = query_time(call, "startTime");
    if (!from) return std::move(from).error();
    auto to = query_time(call, "endTime");
    if (!to) return std::move(to).error();
    auto scheduled = wanted_type(call);
    if (!scheduled) return std::move(scheduled).error();
    auto status = wanted_status(call);
    if (!status) return std::move(status).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_audit_tasks(reader, *request, *from, *to, *scheduled, *status);
    });
    if (!page) return std::move(page).error();
    json tasks = json::array();
    for (const auto& task : page->items) {
        tasks.push_back({{"taskId", task.id},
                         {"taskStatus", registry::to_string(task.status)},
                         {"taskType", task.schedule ? kScheduled : kOnDemand}});
    }
    json body = {{"tasks", std::move(tasks)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> list_audit_findings(const Call& call) {
    auto request = page_of_findings(call);
    if (!request) return std::move(request).error();
    auto filter = read_filter(call.input);
    if (!filter) return std::move(filter).error();
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_audit_findings(reader, *request, *filter);
    });
    if (!page) return std::move(page).error();
    json findings = json::array();
    for (const auto& finding : page->items)
        findings.push_back(finding_json(finding));
    json body = {{"findings", std::move(findings)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> describe_audit_finding(const Call& call) {
    auto finding = call.service.store.read([&](store::Reader& reader) {
        return registry::find_audit_finding(reader, call.labels[0]);
    });
    if (!finding) return std::move(finding).error();
    return to_body({{"finding", finding_json(*finding)}});
}

}  // namespace hatchery::api::audits
