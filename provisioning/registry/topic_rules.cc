#include "provisioning/registry/topic_rules.h"

#include "provisioning/registry/rows.h"

namespace hatchery::registry {

namespace {

constexpr std::int64_t kMaxTopicRules = 1'000;
constexpr std::size_t kMaxRuleName = 128;
constexpr Kind kTopicRule{"topic rule", "rule", "SELECT key FROM topic_rules WHERE name = ?"};
constexpr std::string_view kTopicRules =
    "SELECT key, name, topic_filter, payload, disabled, created FROM topic_rules ";

TopicRule rule_of(const store::Statement& row) {
    return {row.integer(0),
            std::string(row.text(1)),
            std::string(row.text(2)),
            std::string(row.text(3)),
            row.integer(4) != 0,
            time_of(row, 5)};
}

// iot 2015-05-28, RuleName
Result<> check_rule_name(std::string_view name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    });
    if (is_plain && !name.empty() && name.size() <= kMaxRuleName) return {};
    return fail(Code::InvalidRequest,
                "expected 1 to 128 of a-z A-Z 0-9 _, found \"" + std::string(name) + "\"",
                "ruleName");
}

/// Of the last statement, which changes one rule: says so to whoever keeps rules in memory.
Result<> changed_one(store::Tx& tx, std::string_view name) {
    if (tx.changes() == 0) return missing(kTopicRule.word, name);
    tx.touch_identities();
    return tx.run(
        "INSERT INTO meta(name, value) VALUES('topic_rules_version', '1') ON CONFLICT(name) "
        "DO UPDATE SET value = CAST(value AS INTEGER) + 1");
}

QueuedAction action_of(const store::Statement& row) {
    QueuedAction action;
    action.key = row.integer(0);
    action.rule = row.text(1);
    action.kind = row.text(2);
    action.target = row.text(3);
    action.error_action = row.optional_text(4);
    action.topic = row.text(5);
    action.client_id = row.text(6);
    action.message = to_bytes(row.blob(7));
    if (!row.is_null(8)) action.outgoing = to_bytes(row.blob(8));
    action.attempts = static_cast<int>(row.integer(9));
    action.republished = static_cast<int>(row.integer(10));
    return action;
}

}  // namespace

Result<> create_topic_rule(store::Tx& tx,
                           const Account& account,
                           const TopicRule& wanted,
                           Time now) {
    if (auto good = check_rule_name(wanted.name); !good) return good;
    auto there = find_topic_rule(tx, wanted.name);
    if (there) return exists(account, kTopicRule, wanted.name);
    if (there.error().code != Code::NotFound) return std::move(there).error();
    auto count = read_count(tx.query("SELECT count(*) FROM topic_rules"));
    if (!count) return std::move(count).error();
    if (*count >= kMaxTopicRules) {
        return fail(Code::InvalidRequest, "there are 1000 topic rules already", "ruleName");
    }
    auto made = tx.run(
        "INSERT INTO topic_rules(name, topic_filter, payload, disabled, created) "
        "VALUES(?, ?, ?, ?, ?)",
        wanted.name,
        wanted.topic_filter,
        wanted.payload,
        wanted.is_disabled,
        seconds(now));
    if (!made) return made;
    return changed_one(tx, wanted.name);
}

Result<TopicRule> find_topic_rule(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kTopicRules) + "WHERE name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, kTopicRule.word, name); !there)
        return std::move(there).error();
    return rule_of(row);
}

Result<> replace_topic_rule(store::Tx& tx, const TopicRule& wanted) {
    auto set = tx.run(
        "UPDATE topic_rules SET topic_filter = ?, payload = ?, disabled = ? WHERE "
        "name = ?",
        wanted.topic_filter,
        wanted.payload,
        wanted.is_disabled,
        wanted.name);
    if (!set) return set;
    return changed_one(tx, wanted.name);
}

Result<> set_topic_rule_disabled(store::Tx& tx, std::string_view name, bool is_disabled) {
    auto set = tx.run("UPDATE topic_rules SET disabled = ? WHERE name = ?", is_disabled, name);
    if (!set) return set;
    return changed_one(tx, name);
}

Result<> delete_topic_rule(store::Tx& tx, std::string_view name) {
    if (auto gone = tx.run("DELETE FROM topic_rules WHERE name = ?", name); !gone) {
        return gone;
    }
    return changed_one(tx, name);
}

Result<Page<TopicRule>> list_topic_rules(store::Reader& reader,
                                         const PageRequest& request,
                                         const TopicRuleChoice& choice) {
    static const std::string kSql =
        std::string(kTopicRules) +
        "WHERE name > ?1 AND (?2 IS NULL OR topic_filter = ?2) AND (?3 IS NULL OR disabled = ?3) "
        "ORDER BY name LIMIT ?4";
    std::optional<std::int64_t> disabled;
    if (choice.is_disabled) disabled = *choice.is_disabled ? 1 : 0;
    return read_page(
        reader.query(kSql, request.after, choice.topic_filter, disabled, page_limit(request) + 1),
        request,
        Position::Name,
        rule_of);
}

Result<std::vector<TopicRule>> enabled_topic_rules(store::Reader& reader) {
    static const std::string kSql = std::string(kTopicRules) + "WHERE disabled = 0 ORDER BY name";
    return read_all(reader.query(kSql), rule_of);
}

Result<std::int64_t> topic_rules_version(store::Reader& reader) {
    return read_count(reader.query("SELECT value FROM meta WHERE name = 'topic_rules_version'"));
}

Result<> queue_actions(store::Tx& tx, std::span<const QueuedAction> actions, Time now) {
    for (const auto& action : actions) {
        std::optional<ByteView> outgoing;
        if (action.outgoing) outgoing = *action.outgoing;
        auto put = tx.run(
            "INSERT INTO rule_queue(rule, kind, target, error_action, topic, "
            "client_id, message, outgoing, republished, attempts, not_before) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            action.rule,
            action.kind,
            action.target,
            action.error_action,
            action.topic,
            action.client_id,
            ByteView(action.message),
            outgoing,
            action.republished,
            seconds(now));
        if (!put) return put;
    }
    return {};
}

Result<std::vector<QueuedAction>> due_actions(store::Reader& reader,
                                              std::string_view kind,
                                              Time now,
                                              int limit) {
    return read_all(
        reader.query("SELECT key, rule, kind, target, error_action, topic, client_id, message, "
                     "outgoing, attempts, republished FROM rule_queue WHERE kind = ? AND "
                     "not_before <= ? ORDER "
                     "BY not_before, key LIMIT ?",
                     kind,
                     seconds(now),
                     limit),
        action_of);
}

Result<> remove_action(store::Tx& tx, std::int64_t key) {
    return tx.run("DELETE FROM rule_queue WHERE key = ?", key);
}

Result<> delay_action(store::Tx& tx, std::int64_t key, int attempts, Time not_before) {
    return tx.run("UPDATE rule_queue SET attempts = ?, not_before = ? WHERE key = ?",
                  attempts,
                  seconds(not_before),
                  key);
}

Result<QueueSize> queue_size(store::Reader& reader) {
    auto row = reader.query(
        "SELECT count(*), coalesce(sum(length(message) + coalesce(length(outgoing), 0)), 0) FROM "
        "rule_queue");
    auto there = row.step();
    if (!there) return std::move(there).error();
    return QueueSize{row.integer(0), row.integer(1)};
}

}  // namespace hatchery::registry
