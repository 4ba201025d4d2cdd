#include "provisioning/gateway/connection_log.h"

#include "provisioning/gateway/log.h"

#include <spdlog/logger.h>

#include <array>
#include <atomic>
#include <cstdio>

namespace hatchery::gateway {
namespace {

bool is_routine(CloseCause cause) {
    return cause == CloseCause::Disconnected || cause == CloseCause::DeviceLost ||
           cause == CloseCause::Provisioned || cause == CloseCause::Stopping ||
           cause == CloseCause::TakenOver;
}

std::string_view or_dash(std::string_view text) {
    return text.empty() ? "-" : text;
}

std::string client_text(const ConnectionFacts& facts) {
    return facts.client.empty() ? std::string("-") : log_value(facts.client);
}

}  // namespace

std::string next_connection_id() {
    static std::atomic<std::uint64_t> counter{
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count())};
    std::array<char, 24> text{};
    const auto value = static_cast<unsigned long long>(counter.fetch_add(1) & 0xFFFFFFFFFFULL);
    std::snprintf(text.data(), text.size(), "c-%010llx", value);
    return text.data();
}

void log_accepted(const ConnectionFacts& facts, bool provisioned_now) {
    log().info("accepted connection={} certificate={} client={} thing={} peer={} provisioned={}",
               facts.id,
               facts.certificate,
               log_value(facts.client),
               log_value(facts.thing),
               facts.peer,
               provisioned_now ? "now" : "before");
}

void log_answered(const ConnectionFacts& facts, std::string_view topic) {
    log().info("answered connection={} certificate={} client={} topic={}",
               facts.id,
               or_dash(facts.certificate),
               log_value(facts.client),
               log_value(topic));
}

void log_note(const ConnectionFacts& facts, std::string_view note) {
    log().warn("note connection={} certificate={} client={} text={}",
               facts.id,
               or_dash(facts.certificate),
               log_value(facts.client),
               log_value(note));
}

void log_closed(const ConnectionFacts& facts, const Close& close, std::string_view code) {
    const std::string line =
        std::string(close.cause == CloseCause::Refused ? "refused" : "closed") +
        " connection=" + std::string(facts.id) +
        " certificate=" + std::string(or_dash(facts.certificate)) +
        " client=" + client_text(facts) + " peer=" + std::string(facts.peer) +
        " cause=" + std::string(to_string(close.cause)) +
        (code.empty() ? std::string() : " code=" + std::string(code)) +
        (close.detail.empty() ? std::string() : " reason=" + log_value(close.detail));
    if (is_routine(close.cause)) {
        log().info("{}", line);
    } else {
        log().warn("{}", line);
    }
}

}  // namespace hatchery::gateway
