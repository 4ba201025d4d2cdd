#include "provisioning/flows/publish.h"

#include "ca/base/clock.h"
#include "ca/base/utf8.h"
#include "provisioning/flows/https_device.h"
#include "provisioning/rule_actions/engine.h"

#include <algorithm>
#include <future>
#include <memory>

namespace hatchery::flows {

namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};

/// U+0001 to U+001F and U+007F to U+009F, in valid UTF-8.
bool has_control_character(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7F) return true;
        if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    }
    return false;
}

/// What rules make of the message is durable before the publisher of QoS 1 has an answer.
Result<> keep_for_rules(rule_actions::Engine& rules,
                        const Event& message,
                        std::string_view principal) {
    const topic_rules::Message seen(message.topic,
                                    bytes_of(message.payload),
                                    topic_rules::kNoClientId,
                                    principal,
                                    clock_now_in_milliseconds());
    auto actions = rules.match(seen);
    if (actions.empty()) return {};
    if (message.qos > 0) return rules.keep(std::move(actions));
    rules.keep_later(std::move(actions));
    return {};
}

}  // namespace

Result<> check_message(const Settings& settings, const Event& message) {
    const std::string& topic = message.topic;
    if (topic.empty() || topic.find_first_of("+#") != std::string::npos) {
        return fail(Code::InvalidRequest, "expected a topic without wildcards", "topic");
    }
    // A broker ends the connection over these (MQTT 3.1.1, 1.5.3), and all share one.
    if (!is_utf8_text(topic) || has_control_character(topic)) {
        return fail(
            Code::InvalidRequest, "expected a topic in UTF-8 without control characters", "topic");
    }
    if (topic.starts_with('$')) {
        return fail(Code::Forbidden, "topics that begin with $ are reserved", "topic");
    }
    const auto levels = static_cast<std::size_t>(std::ranges::count(topic, '/')) + 1;
    if (topic.size() > settings.max_topic_bytes || levels > settings.max_topic_levels) {
        return fail(Code::InvalidRequest,
                    "expected a topic of at most " + std::to_string(settings.max_topic_bytes) +
                        " bytes and " + std::to_string(settings.max_topic_levels) + " levels",
                    "topic");
    }
    if (message.payload.size() > settings.max_payload_bytes) {
        return fail(Code::LimitExceeded,
                    "expected a payload of at most " + std::to_string(settings.max_payload_bytes) +
                        " bytes, found " + std::to_string(message.payload.size()));
    }
    return {};
}

Result<> deliver(const Service& service, Event message, std::string_view principal) {
    if (service.messages == nullptr) return fail(Code::Unavailable, "no broker");
    if (service.rules != nullptr && service.rules->has_rules()) {
        auto kept = keep_for_rules(*service.rules, message, principal);
        if (!kept) return kept;
    }
    const auto outcome = std::make_shared<std::promise<Result<>>>();
    auto answer = outcome->get_future();
    service.messages->publish(
        std::move(message), [outcome](Result<> result) { outcome->set_value(std::move(result)); });
    if (answer.wait_for(kAnswerTimeout) != std::future_status::ready) {
        return fail(Code::Unavailable, "the broker did not acknowledge in time");
    }
    return answer.get();
}

Result<> publish_for_device(Service& service, DevicePublish publish, Time now) {
    if (auto good = check_message(service.settings, publish.message); !good) return good;
    std::vector<policy::Action> asked{policy::Action::Publish};
    if (publish.message.retain) asked.push_back(policy::Action::RetainPublish);
    const HttpsDevice device{std::move(publish.certificate),
                             std::move(publish.source_ip),
                             std::move(publish.server_name)};
    auto allowed = authorize_https(service, device, asked, publish.message.topic, now);
    if (!allowed) return allowed;
    return deliver(service, std::move(publish.message), device.certificate.id().hex());
}

}  // namespace hatchery::flows
