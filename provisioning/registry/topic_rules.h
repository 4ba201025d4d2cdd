// Topic rules as the control plane keeps them, and the queue of what their actions still have to
// do. The SQL and the actions are read elsewhere (provisioning/topic_rules): here they are text.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <span>

namespace hatchery::registry {

struct TopicRule {
    std::int64_t key = 0;
    std::string name;
    std::string topic_filter;  ///< of its FROM, for lists
    std::string payload;       ///< the topicRulePayload, JSON
    bool is_disabled = false;
    Time created;
};

/// @errors AlreadyExists; InvalidRequest  a wrong name, or 1,000 rules are there (AWS's quota)
Result<> create_topic_rule(store::Tx&, const Account&, const TopicRule& wanted, Time now);
/// @errors NotFound
Result<TopicRule> find_topic_rule(store::Reader&, std::string_view name);
/// Everything but name and creation. @errors NotFound
Result<> replace_topic_rule(store::Tx&, const TopicRule& wanted);
/// @errors NotFound
Result<> set_topic_rule_disabled(store::Tx&, std::string_view name, bool is_disabled);
/// What is queued stays. @errors NotFound
Result<> delete_topic_rule(store::Tx&, std::string_view name);
struct TopicRuleChoice {
    std::optional<std::string> topic_filter{};
    std::optional<bool> is_disabled{};
};
/// By name.
Result<Page<TopicRule>> list_topic_rules(store::Reader&,
                                         const PageRequest&,
                                         const TopicRuleChoice& choice = {});
/// All that are not disabled, by name.
Result<std::vector<TopicRule>> enabled_topic_rules(store::Reader&);
/// Grows with every change of a rule; each of them also touches identities, so that whoever keeps
/// rules in memory asks here only when Store::identity_generation has grown.
Result<std::int64_t> topic_rules_version(store::Reader&);

/// An action that has to be done for one message.
struct QueuedAction {
    std::int64_t key = 0;
    std::string rule;
    std::string kind;                         ///< "s3" …
    std::string target;                       ///< JSON: where to, resolved
    std::optional<std::string> error_action;  ///< JSON {kind, target}: if it cannot be done
    std::string topic;
    std::string client_id;
    Bytes message;                  ///< the payload as it was published
    std::optional<Bytes> outgoing;  ///< what SQL made of it; absent: the same
    int attempts = 0;               ///< so far
    int republished = 0;            ///< how often rules have republished it before this one
    std::size_t bytes() const { return message.size() + (outgoing ? outgoing->size() : 0); }
};
Result<> queue_actions(store::Tx&, std::span<const QueuedAction>, Time now);
/// Those of a kind whose time has come, by that time.
Result<std::vector<QueuedAction>> due_actions(store::Reader&,
                                              std::string_view kind,
                                              Time now,
                                              int limit);
Result<> remove_action(store::Tx&, std::int64_t key);
Result<> delay_action(store::Tx&, std::int64_t key, int attempts, Time not_before);
struct QueueSize {
    std::int64_t actions = 0;
    std::int64_t bytes = 0;
};
Result<QueueSize> queue_size(store::Reader&);

}  // namespace hatchery::registry
