#include "provisioning/api/topic_rules_operations.h"

#include "provisioning/registry/topic_rules.h"
#include "provisioning/topic_rules/rule.h"

#include <nlohmann/json.hpp>

namespace hatchery::api::rules {
namespace {

using nlohmann::json;

/// The rule that a request states; its whole body is the topicRulePayload.
Result<registry::TopicRule> stated_rule(const Call& call) {
    auto disabled = call.input.optional_flag("ruleDisabled");
    if (!disabled) return std::move(disabled).error();
    registry::TopicRule rule;
    rule.name = call.labels[0];
    rule.payload = to_body(call.input.node());
    auto read = topic_rules::Rule::parse(rule.payload);
    if (!read) return std::move(read).error();
    rule.topic_filter = read->statement.filter();
    rule.is_disabled = disabled->value_or(false);
    return rule;
}

Result<std::string> set_disabled(const Call& call, bool is_disabled) {
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::set_topic_rule_disabled(tx, call.labels[0], is_disabled);
    }));
}

}  // namespace

Result<std::string> create_topic_rule(const Call& call) {
    auto rule = stated_rule(call);
    if (!rule) return std::move(rule).error();
    return empty_answer(call.service.store.write([&](store::Tx& tx) {
        return registry::create_topic_rule(tx, call.account(), *rule, call.now);
    }));
}

Result<std::string> get_topic_rule(const Call& call) {
    auto found = call.service.store.read(
        [&](store::Reader& reader) { return registry::find_topic_rule(reader, call.labels[0]); });
    if (!found) return std::move(found).error();
    json rule = json::parse(found->payload, nullptr, false);
    if (!rule.is_object()) return fail(Code::Internal, "the stored rule is no JSON");
    rule["ruleName"] = found->name;
    rule["createdAt"] = epoch(found->created);
    rule["ruleDisabled"] = found->is_disabled;
    return to_body({{"ruleArn", call.arn("rule", found->name)}, {"rule", std::move(rule)}});
}

Result<std::string> replace_topic_rule(const Call& call) {
    auto rule = stated_rule(call);
    if (!rule) return std::move(rule).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::replace_topic_rule(tx, *rule); }));
}

Result<std::string> delete_topic_rule(const Call& call) {
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::delete_topic_rule(tx, call.labels[0]); }));
}

Result<std::string> enable_topic_rule(const Call& call) {
    return set_disabled(call, false);
}

Result<std::string> disable_topic_rule(const Call& call) {
    return set_disabled(call, true);
}

Result<std::string> list_topic_rules(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    registry::TopicRuleChoice choice{query_text(call, "topic"), {}};
    if (query_text(call, "ruleDisabled")) {
        auto disabled = query_flag(call, "ruleDisabled", false);
        if (!disabled) return std::move(disabled).error();
        choice.is_disabled = *disabled;
    }
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_topic_rules(reader, *request, choice);
    });
    if (!page) return std::move(page).error();
    json items = json::array();
    for (const auto& rule : page->items) {
        items.push_back({{"ruleArn", call.arn("rule", rule.name)},
                         {"ruleName", rule.name},
                         {"topicPattern", rule.topic_filter},
                         {"createdAt", epoch(rule.created)},
                         {"ruleDisabled", rule.is_disabled}});
    }
    json body = {{"rules", std::move(items)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

}  // namespace hatchery::api::rules
