// Device Defender's audit suppressions and scheduled audits.
#include "provisioning/api/audit_shapes.h"
#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/audit/audit.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace hatchery::api::audits {
namespace {

using nlohmann::json;
using registry::AuditSuppression;
using registry::ScheduledAudit;

/// checkName and resourceIdentifier, both required.
Result<AuditSuppression> read_subject(const Call& call) {
    AuditSuppression subject;
    auto check = call.input.text("checkName");
    if (!check) return std::move(check).error();
    if (audit::find_check(*check) == nullptr) {
        return fail(Code::InvalidRequest,
                    "expected the name of an audit check, found '" + *check + "'",
                    "/checkName");
    }
    auto about = optional_identifier(call.input);
    if (!about) return std::move(about).error();
    if (!*about)
        return fail(
            Code::InvalidRequest, "expected an object, found nothing", "/resourceIdentifier");
    subject.check = std::move(*check);
    subject.identifier = std::move(**about);
    return subject;
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// expirationDate, suppressIndefinitely and description, each only if it is there.
Result<bool> read_terms(const Call& call, AuditSuppression& suppression) {
    auto expires = optional_time(call.input, "expirationDate");
    if (!expires) return std::move(expires).error();
    auto forever = call.input.optional_flag("suppressIndefinitely");
    if (!forever) return std::move(forever).error();
    if (*expires && forever->value_or(false)) {
        return fail(Code::InvalidRequest,
                    "expected expirationDate or suppressIndefinitely, found both",
                    "/expirationDate");
    }
    if (*expires && **expires <= call.now) {
        return fail(Code::InvalidRequest, "expected a time to come", "/expirationDate");
    }
    auto description = call.input.optional_text("description");
    if (!description) return std::move(description).error();
    if (*description && !is_printable(**description)) {
        return fail(Code::InvalidRequest, "expected printable ASCII characters", "/description");
    }
    if (*description) suppression.description = **description;
    if (*expires) suppression.expires = **expires;
    if (forever->value_or(false)) suppression.expires.reset();
    return expires->has_value() || forever->value_or(false);
}

json suppression_json(const AuditSuppression& one) {
    json body = {{"checkName", one.check},
                 {"resourceIdentifier", json::parse(one.identifier, nullptr, false)},
                 {"suppressIndefinitely", !one.expires.has_value()}};
    if (one.expires) body["expirationDate"] = epoch(*one.expires);
    if (!one.description.empty()) body["description"] = one.description;
    return body;
}

constexpr std::array<std::string_view, 4> kFrequencies{"DAILY", "WEEKLY", "BIWEEKLY", "MONTHLY"};
constexpr std::array<std::string_view, 7> kWeekdays{
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

template <std::size_t N>
std::optional<int> index_of(const std::array<std::string_view, N>& words, std::string_view word) {
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) return std::nullopt;
    return static_cast<int>(found - words.begin());
}

/// What is there changes `audit`; a frequency needs its day, and no other.
Result<> read_schedule(const Call& call, ScheduledAudit& audit) {
    auto frequency = call.input.optional_text("frequency");
    if (!frequency) return std::move(frequency).error();
    auto month = call.input.optional_text("dayOfMonth");
    if (!month) return std::move(month).error();
    auto week = call.input.optional_text("dayOfWeek");
    if (!week) return std::move(week).error();
    if (*frequency) {
        audit.frequency =
            static_cast<registry::AuditFrequency>(index_of(kFrequencies, **frequency).value_or(0));
        audit.day_of_month.reset();
        audit.day_of_week.reset();
    }
    if (*month) audit.day_of_month = **month == "LAST" ? 0 : std::atoi((*month)->c_str());
    if (*week) audit.day_of_week = index_of(kWeekdays, **week);
    const bool is_monthly = audit.frequency == registry::AuditFrequency::Monthly;
    const bool is_daily = audit.frequency == registry::AuditFrequency::Daily;
    if (is_monthly != audit.day_of_month.has_value()) {
        return fail(Code::InvalidRequest,
                    is_monthly ? "MONTHLY needs dayOfMonth" : "dayOfMonth is for MONTHLY alone",
                    "/dayOfMonth");
    }
    if ((is_monthly || is_daily) == audit.day_of_week.has_value()) {
        return fail(Code::InvalidRequest,
                    audit.day_of_week ? "dayOfWeek is for WEEKLY and BIWEEKLY alone"
                                      : "WEEKLY and BIWEEKLY need dayOfWeek",
                    "/dayOfWeek");
    }
    if (!call.input.has("targetCheckNames")) return {};
    auto names = call.input.texts("targetCheckNames");
    if (!names) return std::move(names).error();
    audit.checks = std::move(*names);
    return audit::check_names(audit.checks);
}

json schedule_json(const Call& call, const ScheduledAudit& audit) {
    json body = {{"scheduledAuditName", audit.name},
                 {"scheduledAuditArn", call.arn("scheduledaudit", audit.name)},
                 {"frequency", kFrequencies.at(static_cast<std::size_t>(audit.frequency))}};
    if (audit.day_of_month)
        body["dayOfMonth"] =
            *audit.day_of_month == 0 ? "LAST" : std::to_string(*audit.day_of_month);
    if (audit.day_of_week)
        body["dayOfWeek"] = kWeekdays.at(static_cast<std::size_t>(*audit.day_of_week));
    return body;
}

}  // namespace

Result<std::string> create_audit_suppression(const Call& call) {
    auto suppression = read_subject(call);
    if (!suppression) return std::move(suppression).error();
    auto token = call.input.text("clientRequestToken");
    if (!token) return std::move(token).error();
    suppression->client_token = std::move(*token);
    auto has_term = read_terms(call, *suppression);
    if (!has_term) return std::move(has_term).error();
    if (!*has_term) {
        return fail(Code::InvalidRequest,
                    "expected expirationDate or suppressIndefinitely",
                    "/expirationDate");
    }
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::add_audit_suppression(tx, *suppression); }));
}

Result<std::string> describe_audit_suppression(const Call& call) {
    auto subject = read_subject(call);
    if (!subject) return std::move(subject).error();
    auto found = call.service.store.read([&](store::Reader& reader) {
        return registry::find_audit_suppression(reader, subject->check, subject->identifier);
    });
    if (!found) return std::move(found).error();
    return to_body(suppression_json(*found));
}

Result<std::string> update_audit_suppression(const Call& call) {
    auto subject = read_subject(call);
    if (!subject) return std::move(subject).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) -> Result<> {
        auto found = registry::find_audit_suppression(tx, subject->check, subject->identifier);
        if (!found) return std::move(found).error();
        if (auto read = read_terms(call, *found); !read) return std::move(read).error();
        return registry::update_audit_suppression(tx, *found);
    }));
}

Result<std::string> delete_audit_suppression(const Call& call) {
    auto subject = read_subject(call);
    if (!subject) return std::move(subject).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::delete_audit_suppression(tx, subject->check, subject->identifier);
    }));
}

Result<std::string> list_audit_suppressions(const Call& call) {
    auto request = page_of_findings(call);
    if (!request) return std::move(request).error();
    auto check = call.input.optional_text("checkName");
    if (!check) return std::move(check).error();
    auto about = optional_identifier(call.input);
    if (!about) return std::move(about).error();
    auto ascending = call.input.optional_flag("ascendingOrder");
    if (!ascending) return std::move(ascending).error();
    auto all = call.service.store.read(registry::audit_suppressions);
    if (!all) return std::move(all).error();
    // An account has few; each is named by its check and resource.
    std::map<std::string, const AuditSuppression*> by_name;
    std::vector<std::string> names;
    for (const auto& one : *all) {
        if ((*check && one.check != **check) || (*about && one.identifier != **about)) continue;
        names.push_back(one.check + " " + one.identifier);
        by_name[names.back()] = &one;
    }
    auto page = page_of(std::move(names), *request);
    json items = json::array();
    for (const auto& name : page.items)
        items.push_back(suppression_json(*by_name[name]));
    if (!ascending->value_or(true)) std::reverse(items.begin(), items.end());
    json body = {{"suppressions", std::move(items)}};
    add_token(call, body, "nextToken", page.next);
    return to_body(body);
}

Result<std::string> create_scheduled_audit(const Call& call) {
    ScheduledAudit audit;
    audit.name = call.labels[0];
    audit.created = call.now;
    for (const char* member : {"frequency", "targetCheckNames"}) {
        if (!call.input.has(member)) {
            return fail(
                Code::InvalidRequest, "expected a value, found nothing", std::string("/") + member);
        }
    }
    if (auto read = read_schedule(call, audit); !read) return std::move(read).error();
    auto tags = read_tags(call.input);
    if (!tags) return std::move(tags).error();
    auto added = call.service.store.write([&](store::Tx& tx) -> Result<> {
        if (auto made = registry::add_scheduled_audit(tx, audit); !made) return made;
        return registry::add_tags(tx, {"scheduledaudit", audit.name}, *tags);
    });
    if (!added) return std::move(added).error();
    return to_body({{"scheduledAuditArn", call.arn("scheduledaudit", audit.name)}});
}

Result<std::string> describe_scheduled_audit(const Call& call) {
    auto audit = call.service.store.read([&](store::Reader& reader) {
        return registry::find_scheduled_audit(reader, call.labels[0]);
    });
    if (!audit) return std::move(audit).error();
    json body = schedule_json(call, *audit);
    body["targetCheckNames"] = audit->checks;
    return to_body(body);
}

Result<std::string> update_scheduled_audit(const Call& call) {
    auto done = call.service.store.write([&](store::Tx& tx) -> Result<> {
        auto audit = registry::find_scheduled_audit(tx, call.labels[0]);
        if (!audit) return std::move(audit).error();
        if (auto read = read_schedule(call, *audit); !read) return read;
        return registry::update_scheduled_audit(tx, *audit);
    });
    if (!done) return std::move(done).error();
    return to_body({{"scheduledAuditArn", call.arn("scheduledaudit", call.labels[0])}});
}

Result<std::string> delete_scheduled_audit(const Call& call) {
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_scheduled_audit(tx, call.labels[0]); }));
}

Result<std::string> list_scheduled_audits(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto all = call.service.store.read(registry::scheduled_audits);
    if (!all) return std::move(all).error();
    std::map<std::string, const ScheduledAudit*> by_name;
    std::vector<std::string> names;
    for (const auto& one : *all) {
        names.push_back(one.name);
        by_name[one.name] = &one;
    }
    auto page = page_of(std::move(names), *request);
    json items = json::array();
    for (const auto& name : page.items)
        items.push_back(schedule_json(call, *by_name[name]));
    json body = {{"scheduledAudits", std::move(items)}};
    add_token(call, body, "nextToken", page.next);
    return to_body(body);
}

}  // namespace hatchery::api::audits
