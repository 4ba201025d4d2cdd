#include "provisioning/rule_actions/engine.h"

#include "ca/base/clock.h"
#include "provisioning/log/log.h"
#include "provisioning/rule_actions/deliver.h"
#include "provisioning/topic_rules/rule.h"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace hatchery::rule_actions {

namespace {

using nlohmann::json;
using registry::QueuedAction;
using topic_rules::ActionKind;

constexpr std::array<ActionKind, 5> kKinds{ActionKind::Republish,
                                           ActionKind::Http,
                                           ActionKind::S3,
                                           ActionKind::CloudwatchLogs,
                                           ActionKind::Sns};
constexpr int kActionsARead = 100;
constexpr std::chrono::milliseconds kLook{250};  // for changed rules, and for retries
constexpr std::chrono::milliseconds kFlush{100};
constexpr int kMaxBackOffShift = 8;
constexpr std::int64_t kDropsALine = 1000;  // of the log

spdlog::logger& rules_log() {
    static const std::shared_ptr<spdlog::logger> kept = logger("rules");
    return *kept;
}

constexpr int kMostRepublished = 5;  // of one message, in a row: rules may run in circles

struct NamedRule {
    std::string name;
    topic_rules::Rule rule;
};
using Rules = std::vector<NamedRule>;

std::string text_of_json(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string target_text(const topic_rules::ResolvedAction& action) {
    return text_of_json(json(action.texts));
}

QueuedAction queued(const std::string& rule,
                    const topic_rules::Action& action,
                    const std::optional<topic_rules::Action>& error_action,
                    const topic_rules::Message& message,
                    const std::string& outgoing) {
    QueuedAction made;
    made.rule = rule;
    made.kind = topic_rules::to_string(action.kind());
    made.target = target_text(action.resolve(message));
    if (error_action) {
        made.error_action = text_of_json({{"kind", topic_rules::to_string(error_action->kind())},
                                          {"target", error_action->resolve(message).texts}});
    }
    made.topic = message.topic();
    made.client_id = message.client_id();
    made.message = to_bytes(message.payload());
    const auto made_payload = bytes_of(outgoing);
    if (!std::equal(
            made_payload.begin(), made_payload.end(), made.message.begin(), made.message.end()))
        made.outgoing = to_bytes(made_payload);
    return made;
}

/// What an error action gets (AWS IoT Developer Guide, "Error handling (error action)").
std::string error_payload(const QueuedAction& failed, const Error& error) {
    return text_of_json({{"ruleName", failed.rule},
                         {"topic", failed.topic},
                         {"clientId", failed.client_id},
                         {"base64OriginalPayload", to_base64(failed.message)},
                         {"failures",
                          json::array({{{"failedAction", failed.kind},
                                        {"failedResource", failed.target},
                                        {"errorMessage", to_string(error)}}})}});
}

std::optional<QueuedAction> error_action_of(const QueuedAction& failed, const Error& error) {
    if (!failed.error_action) return std::nullopt;
    const json stated = json::parse(*failed.error_action, nullptr, false);
    if (!stated.is_object()) return std::nullopt;
    QueuedAction made = failed;
    made.kind = stated.value("kind", "");
    made.target = text_of_json(stated.value("target", json::object()));
    made.error_action.reset();
    made.outgoing = to_bytes(bytes_of(error_payload(failed, error)));
    return made;
}

class RunningEngine final : public Engine {
  public:
    RunningEngine(store::Store& store, Options options)
        : store_(store), options_(std::move(options)) {}
    ~RunningEngine() override {
        {
            const std::lock_guard lock(mutex_);
            is_stopping_ = true;
        }
        changed_.notify_all();
        for (auto& thread : threads_)
            thread.join();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return keeping_ == 0; });
    }

    Result<> run() {
        auto size = store_.read([](store::Reader& reader) { return registry::queue_size(reader); });
        if (!size) return std::move(size).error();
        size_ = *size;
        if (auto loaded = load_rules(); !loaded) return loaded;
        threads_.emplace_back([this] { watch_rules(); });
        for (const auto kind : kKinds)
            threads_.emplace_back([this, kind] { work(kind); });
        return {};
    }

    bool has_rules() const override { return has_rules_; }

    std::vector<QueuedAction> match(const topic_rules::Message& message) override {
        std::vector<QueuedAction> made;
        const auto rules = current_rules();
        for (const auto& [name, rule] : *rules) {
            const auto outgoing = rule.statement.evaluate(message);
            if (!outgoing) continue;
            for (const auto& action : rule.actions)
                made.push_back(queued(name, action, rule.error_action, message, *outgoing));
        }
        return made;
    }

    Result<> keep(std::vector<QueuedAction> actions) override {
        reserve(actions);
        if (actions.empty()) return {};
        auto kept = store_.write(
            [&](store::Tx& tx) { return registry::queue_actions(tx, actions, clock_now()); });
        done_keeping(actions, kept);
        return kept;
    }

    void keep_later(std::vector<QueuedAction> actions) override {
        reserve(actions);
        if (actions.empty()) return;
        {
            const std::lock_guard lock(mutex_);
            ++keeping_;
        }
        const auto shared = std::make_shared<std::vector<QueuedAction>>(std::move(actions));
        store_.write_async(
            [shared](store::Tx& tx) { return registry::queue_actions(tx, *shared, clock_now()); },
            [this, shared](Result<> kept) {
                done_keeping(*shared, kept);
                const std::lock_guard lock(mutex_);
                --keeping_;
                changed_.notify_all();  // with the mutex: the engine may end right after
            });
    }

    void set_republisher(Republisher* republisher) override {
        {
            const std::lock_guard using_it(republisher_mutex_);
            republisher_ = republisher;
        }
        changed_.notify_all();
    }

  private:
    struct Outcome {
        QueuedAction action;
        std::optional<Error> failure;
    };

    /// Takes room in the queue for `actions`; leaves of them what there was room for.
    void reserve(std::vector<QueuedAction>& actions) {
        const std::lock_guard lock(mutex_);
        std::erase_if(actions, [&](const QueuedAction& action) {
            const auto bytes = static_cast<std::int64_t>(action.bytes());
            const bool has_room =
                size_.actions < options_.max_actions && size_.bytes + bytes <= options_.max_bytes;
            if (has_room) {
                ++size_.actions;
                size_.bytes += bytes;
            } else if (++dropped_ % kDropsALine == 1) {
                rules_log().error("action_dropped rule={} kind={} waiting={} bytes={} so_far={}",
                                  action.rule,
                                  action.kind,
                                  size_.actions,
                                  size_.bytes,
                                  dropped_);
            }
            return !has_room;
        });
    }

    void release(const QueuedAction& action) {
        --size_.actions;
        size_.bytes -= static_cast<std::int64_t>(action.bytes());
    }

    void done_keeping(const std::vector<QueuedAction>& actions, const Result<>& kept) {
        {
            const std::lock_guard lock(mutex_);
            ++kept_;
            if (!kept) {
                for (const auto& action : actions)
                    release(action);
            }
        }
        if (!kept) {
            rules_log().error("actions_lost count={} reason={}",
                              actions.size(),
                              log_value(to_string(kept.error())));
        }
        changed_.notify_all();
    }

    std::shared_ptr<const Rules> current_rules() const {
        const std::lock_guard lock(rules_mutex_);
        return rules_;
    }

    Result<> load_rules() {
        auto version = store_.read(
            [](store::Reader& reader) { return registry::topic_rules_version(reader); });
        if (!version) return std::move(version).error();
        if (*version == version_) return {};
        auto stored = store_.read(
            [](store::Reader& reader) { return registry::enabled_topic_rules(reader); });
        if (!stored) return std::move(stored).error();
        auto rules = std::make_shared<Rules>();
        for (const auto& one : *stored) {
            auto rule = topic_rules::Rule::parse(one.payload);
            if (!rule) {
                rules_log().error("rule_unreadable rule={} reason={}",
                                  one.name,
                                  log_value(to_string(rule.error())));
                continue;
            }
            rules->push_back({one.name, std::move(*rule)});
        }
        has_rules_ = !rules->empty();
        rules_log().info("rules_loaded count={}", rules->size());
        {
            const std::lock_guard lock(rules_mutex_);
            rules_ = std::move(rules);
        }
        version_ = *version;
        return {};
    }

    void watch_rules() {
        std::uint64_t seen = 0;
        std::unique_lock lock(mutex_);
        while (!changed_.wait_for(lock, kLook, [this] { return is_stopping_; })) {
            lock.unlock();
            const auto generation = store_.identity_generation();
            if (generation != seen) {
                auto loaded = load_rules();
                if (loaded) seen = generation;
                if (!loaded) {
                    rules_log().error("rules_not_loaded reason={}",
                                      log_value(to_string(loaded.error())));
                }
            }
            lock.lock();
        }
    }

    /// One thread a kind: a mail relay that hangs holds up no object.
    void work(ActionKind kind) {
        while (true) {
            std::uint64_t seen = 0;
            {
                const std::lock_guard lock(mutex_);
                if (is_stopping_) return;
                seen = kept_;
            }
            if (attempt_due(kind)) continue;
            std::unique_lock lock(mutex_);
            const auto has_news = [&] { return is_stopping_ || kept_ != seen; };
            if (size_.actions > 0) {
                changed_.wait_for(lock, kLook, has_news);
            } else {
                changed_.wait(lock, has_news);
            }
        }
    }

    bool is_stopping() {
        const std::lock_guard lock(mutex_);
        return is_stopping_;
    }

    /// Attempts what is due. Was there anything?
    bool attempt_due(ActionKind kind) {
        if (kind == ActionKind::Republish) {
            const std::lock_guard using_it(republisher_mutex_);
            if (republisher_ == nullptr) return false;
        }
        auto due = store_.read([&](store::Reader& reader) {
            return registry::due_actions(
                reader, topic_rules::to_string(kind), clock_now(), kActionsARead);
        });
        if (!due) {
            rules_log().error("queue_unreadable reason={}", log_value(to_string(due.error())));
            return false;
        }
        std::vector<Outcome> outcomes;
        auto since = std::chrono::steady_clock::now();
        for (auto& action : *due) {
            if (is_stopping()) break;
            auto done = attempt(kind, action);
            std::optional<Error> failure;
            if (!done) failure = std::move(done).error();
            outcomes.push_back({std::move(action), std::move(failure)});
            const auto now = std::chrono::steady_clock::now();
            if (now - since < kFlush) continue;
            if (!write_outcomes(outcomes)) return false;
            since = now;
        }
        return write_outcomes(outcomes) && !due->empty();
    }

    Result<> attempt(ActionKind kind, const QueuedAction& action) {
        const json stated = json::parse(action.target, nullptr, false);
        if (!stated.is_object()) return fail(Code::Internal, "the stored target is no JSON");
        Delivery delivery{stated.get<std::map<std::string, std::string>>(),
                          action.outgoing ? *action.outgoing : action.message,
                          action.rule,
                          clock_now()};
        switch (kind) {
            case ActionKind::Republish:
                return republish(delivery);
            case ActionKind::Http:
                return deliver_http(delivery, options_.timeout);
            case ActionKind::S3:
                return deliver_s3(delivery, options_.s3, options_.timeout);
            case ActionKind::CloudwatchLogs:
                return deliver_file(delivery, options_.folder);
            case ActionKind::Sns:
                break;
        }
        return deliver_mail(delivery, options_.smtp, options_.mail, options_.timeout);
    }

    Result<> republish(const Delivery& delivery) {
        const std::string& topic = delivery.text("topic");
        const bool is_topic = !topic.empty() && topic.find_first_of("+#") == std::string::npos &&
                              topic.find('\0') == std::string::npos && topic.size() < 65'536;
        const bool is_reserved = topic.starts_with('$');
        if (!is_topic || is_reserved) {
            return fail(
                Code::InvalidRequest,
                "expected a topic without wildcards and not below $, found \"" + topic + "\"");
        }
        const std::lock_guard using_it(republisher_mutex_);
        if (republisher_ == nullptr) return fail(Code::Unavailable, "the gateway is not running");
        return republisher_->republish(topic, delivery.payload);
    }

    /// What rules make of the message that a rule has just republished.
    std::vector<QueuedAction> match_republished(const QueuedAction& done) {
        if (done.kind != topic_rules::to_string(ActionKind::Republish)) return {};
        const json target = json::parse(done.target, nullptr, false);
        const std::string topic = target.value("topic", "");
        const topic_rules::Message message(topic,
                                           done.outgoing ? *done.outgoing : done.message,
                                           topic_rules::kNoClientId,
                                           {},
                                           clock_now_in_milliseconds());
        auto made = match(message);
        for (auto& action : made)
            action.republished = done.republished + 1;
        if (made.empty() || done.republished + 1 < kMostRepublished) return made;
        rules_log().warn("republish_ended rule={} topic={} after={}",
                         done.rule,
                         log_value(topic),
                         kMostRepublished);
        return {};
    }

    /// Writes and clears `outcomes`. What cannot be written is attempted again.
    bool write_outcomes(std::vector<Outcome>& outcomes) {
        if (outcomes.empty()) return true;
        const Time now = clock_now();
        std::vector<QueuedAction> following;  // what comes of the outcomes, in the same commit
        for (auto& outcome : outcomes) {
            if (!outcome.failure) {
                auto made = match_republished(outcome.action);
                std::move(made.begin(), made.end(), std::back_inserter(following));
                continue;
            }
            ++outcome.action.attempts;
            const bool is_last = outcome.action.attempts >= options_.attempts;
            rules_log().warn("action_failed rule={} kind={} attempt={} of={} topic={} reason={}",
                             outcome.action.rule,
                             outcome.action.kind,
                             outcome.action.attempts,
                             options_.attempts,
                             log_value(outcome.action.topic),
                             log_value(to_string(*outcome.failure)));
            if (!is_last) continue;
            if (auto made = error_action_of(outcome.action, *outcome.failure)) {
                following.push_back(std::move(*made));
            }
        }
        reserve(following);
        auto written = store_.write([&](store::Tx& tx) -> Result<> {
            for (const auto& outcome : outcomes) {
                auto done = write_outcome(tx, outcome, now);
                if (!done) return done;
            }
            return registry::queue_actions(tx, following, now);
        });
        const std::lock_guard lock(mutex_);
        if (!written) {
            for (const auto& action : following)
                release(action);
            rules_log().error("queue_not_written reason={}", log_value(to_string(written.error())));
            outcomes.clear();
            return false;
        }
        for (const auto& outcome : outcomes) {
            if (is_over(outcome)) release(outcome.action);
        }
        if (!following.empty()) {
            ++kept_;
            changed_.notify_all();
        }
        outcomes.clear();
        return true;
    }

    bool is_over(const Outcome& outcome) const {
        return !outcome.failure || outcome.action.attempts >= options_.attempts;
    }

    Result<> write_outcome(store::Tx& tx, const Outcome& outcome, Time now) const {
        const auto& action = outcome.action;
        if (is_over(outcome)) return registry::remove_action(tx, action.key);
        const auto wait =
            std::chrono::seconds(1LL << std::min(action.attempts - 1, kMaxBackOffShift));
        return registry::delay_action(tx, action.key, action.attempts, now + wait);
    }

    store::Store& store_;
    const Options options_;
    mutable std::mutex rules_mutex_;  // guards rules_, never what it points to
    std::shared_ptr<const Rules> rules_ = std::make_shared<Rules>();
    std::atomic<bool> has_rules_{false};
    std::int64_t version_ = -1;     // of rules_; the starting thread's, then the watcher's
    std::mutex republisher_mutex_;  // held while it is used
    Republisher* republisher_ = nullptr;
    std::mutex mutex_;  // guards what follows
    std::condition_variable changed_;
    registry::QueueSize size_;
    std::int64_t dropped_ = 0;
    std::uint64_t kept_ = 0;  // grows with every addition to the queue
    int keeping_ = 0;         // additions that nobody waits for
    bool is_stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(store::Store& store, Options options) {
    auto engine = std::make_unique<RunningEngine>(store, std::move(options));
    if (auto running = engine->run(); !running) return std::move(running).error();
    return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace hatchery::rule_actions
