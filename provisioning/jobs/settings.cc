#include "provisioning/jobs/settings.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <limits>

namespace hatchery::jobs {

namespace {

using nlohmann::json;

/// A member and where it stands, for errors.
class Node {
  public:
    Node(const json& value, std::string where) : value_(&value), where_(std::move(where)) {}

    bool has(const char* name) const {
        return value_->is_object() && value_->contains(name) && !(*value_)[name].is_null();
    }
    Node at(const char* name) const { return {(*value_)[name], where_ + "/" + name}; }
    const json& value() const { return *value_; }

    Error wrong(const std::string& expected) const {
        return fail(Code::InvalidRequest, "expected " + expected + ", found " + shown(), where_);
    }
    Result<double> number(const char* name, double least, double most) const {
        const Node member = has(name) ? at(name) : Node(kNothing, where_ + "/" + name);
        const bool is_good = member.value().is_number() && member.value().get<double>() >= least &&
                             member.value().get<double>() <= most;
        if (is_good) return member.value().get<double>();
        return member.wrong("a number from " + trimmed(least) + " to " + trimmed(most));
    }
    Result<int> integer(const char* name, int least, int most) const {
        const Node member = has(name) ? at(name) : Node(kNothing, where_ + "/" + name);
        if (member.value().is_number_integer()) {
            const auto found = number(name, least, most);
            if (found) return static_cast<int>(*found);
        }
        return member.wrong("an integer from " + std::to_string(least) + " to " +
                            std::to_string(most));
    }
    Result<std::vector<Node>> objects(const char* name, std::size_t most) const {
        const Node list = has(name) ? at(name) : Node(kNothing, where_ + "/" + name);
        if (!list.value().is_array() || list.value().empty() || list.value().size() > most) {
            return list.wrong("a list of 1 to " + std::to_string(most) + " objects");
        }
        std::vector<Node> nodes;
        for (std::size_t i = 0; i < list.value().size(); ++i) {
            nodes.emplace_back(list.value()[i], list.where_ + "/" + std::to_string(i));
            if (!nodes.back().value().is_object()) return nodes.back().wrong("an object");
        }
        return nodes;
    }

  private:
    static const json kNothing;

    static std::string trimmed(double number) {
        std::string text = std::to_string(number);
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.') text.pop_back();
        return text;
    }
    std::string shown() const {
        constexpr std::size_t kMostShown = 100;
        if (value_->is_null()) return "nothing";
        std::string text = value_->dump(-1, ' ', true, json::error_handler_t::replace);
        if (text.size() > kMostShown) text.resize(kMostShown);
        return text;
    }

    const json* value_;
    std::string where_;
};
const json Node::kNothing;

Result<FailureKind> read_kind(const Node& rule, bool may_be_rejected) {
    const std::string found = rule.has("failureType") && rule.at("failureType").value().is_string()
                                  ? rule.at("failureType").value().get<std::string>()
                                  : std::string();
    if (found == "FAILED") return FailureKind::Failed;
    if (found == "TIMED_OUT") return FailureKind::TimedOut;
    if (found == "ALL") return FailureKind::All;
    if (found == "REJECTED" && may_be_rejected) return FailureKind::Rejected;
    const std::string expected = may_be_rejected ? "failureType FAILED, REJECTED, TIMED_OUT or ALL"
                                                 : "failureType FAILED, TIMED_OUT or ALL";
    return rule.wrong(expected);
}

Result<> read_rollout(const Node& node, Settings& settings) {
    Rollout rollout;
    if (node.has("maximumPerMinute")) {
        auto most = node.integer("maximumPerMinute", 1, 1000);
        if (!most) return std::move(most).error();
        rollout.most_per_minute = *most;
        rollout.base_per_minute = *most;
    }
    if (node.has("exponentialRate")) {
        const Node rate = node.at("exponentialRate");
        auto base = rate.integer("baseRatePerMinute", 1, 1000);
        if (!base) return std::move(base).error();
        auto factor = rate.number("incrementFactor", 1, 5);
        if (!factor) return std::move(factor).error();
        rollout.base_per_minute = *base;
        rollout.increment_factor = *factor;
        const Node criteria =
            rate.has("rateIncreaseCriteria") ? rate.at("rateIncreaseCriteria") : rate;
        const bool by_notified = criteria.has("numberOfNotifiedThings");
        if (by_notified == criteria.has("numberOfSucceededThings")) {
            return criteria.wrong(
                "rateIncreaseCriteria with one of numberOfNotifiedThings and "
                "numberOfSucceededThings");
        }
        auto things =
            criteria.integer(by_notified ? "numberOfNotifiedThings" : "numberOfSucceededThings",
                             1,
                             std::numeric_limits<int>::max());
        if (!things) return std::move(things).error();
        (by_notified ? rollout.notified_things : rollout.succeeded_things) = *things;
    }
    settings.rollout = rollout;
    return {};
}

Result<> read_aborts(const Node& node, Settings& settings) {
    auto rules = node.objects("criteriaList", 100);
    if (!rules) return std::move(rules).error();
    for (const auto& rule : *rules) {
        auto kind = read_kind(rule, true);
        if (!kind) return std::move(kind).error();
        const bool cancels = rule.has("action") && rule.at("action").value() == "CANCEL";
        if (!cancels) return rule.wrong("action CANCEL");
        auto percent = rule.number("thresholdPercentage", 0, 100);
        if (!percent) return std::move(percent).error();
        auto least = rule.integer("minNumberOfExecutedThings", 1, std::numeric_limits<int>::max());
        if (!least) return std::move(least).error();
        settings.aborts.push_back({*kind, *percent, *least});
    }
    return {};
}

Result<> read_retries(const Node& node, Settings& settings) {
    auto rules = node.objects("criteriaList", 2);
    if (!rules) return std::move(rules).error();
    for (const auto& rule : *rules) {
        auto kind = read_kind(rule, false);
        if (!kind) return std::move(kind).error();
        auto most = rule.integer("numberOfRetries", 0, 10);
        if (!most) return std::move(most).error();
        settings.retries.push_back({*kind, *most});
    }
    return {};
}

/// "2026-11-25 21:00", UTC.
Result<Time> read_minute(const Node& node) {
    int year = 0, hour = 0, minute = 0;
    unsigned month = 0, day = 0;
    const std::string text = node.value().is_string() ? node.value().get<std::string>() : "";
    // NOLINTNEXTLINE(cert-err34-c): the ranges are checked below
    const int fields =
        std::sscanf(text.c_str(), "%4d-%2u-%2u %2d:%2d", &year, &month, &day, &hour, &minute);
    const std::chrono::year_month_day date{
        std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
    const bool is_good = fields == 5 && text.size() == 16 && date.ok() && hour >= 0 && hour < 24 &&
                         minute >= 0 && minute < 60;
    if (!is_good) return node.wrong("a time of the form yyyy-MM-dd HH:mm (UTC)");
    return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute);
}

Result<> read_schedule(const Node& node, Settings& settings) {
    if (node.has("maintenanceWindows") && !node.at("maintenanceWindows").value().empty()) {
        return node.at("maintenanceWindows").wrong("no maintenance windows, which are not there");
    }
    if (node.has("startTime")) {
        auto starts = read_minute(node.at("startTime"));
        if (!starts) return std::move(starts).error();
        settings.starts = *starts;
    }
    if (node.has("endTime")) {
        auto ends = read_minute(node.at("endTime"));
        if (!ends) return std::move(ends).error();
        settings.ends = *ends;
        if (settings.starts && *ends <= *settings.starts)
            return node.at("endTime").wrong("an end after startTime");
    }
    if (!node.has("endBehavior")) return {};
    const json& behavior = node.at("endBehavior").value();
    if (behavior == "CANCEL") {
        settings.end_behavior = EndBehavior::Cancel;
    } else if (behavior == "FORCE_CANCEL") {
        settings.end_behavior = EndBehavior::ForceCancel;
    } else if (behavior != "STOP_ROLLOUT") {
        return node.at("endBehavior").wrong("STOP_ROLLOUT, CANCEL or FORCE_CANCEL");
    }
    return {};
}

Result<> read_timeout(const Node& node, Settings& settings) {
    if (!node.has("inProgressTimeoutInMinutes")) return {};
    auto minutes = node.integer("inProgressTimeoutInMinutes", 1, 10080);
    if (!minutes) return std::move(minutes).error();
    settings.in_progress_timeout = std::chrono::minutes(*minutes);
    return {};
}

Result<> read_links(const Node& node, Settings& settings) {
    settings.presigns = true;
    if (!node.has("expiresInSec")) return {};
    auto seconds = node.integer("expiresInSec", 60, 3600);
    if (!seconds) return std::move(seconds).error();
    settings.link_lifetime = std::chrono::seconds(*seconds);
    return {};
}

}  // namespace

Result<Settings> parse_settings(const json& members) {
    using Read = Result<> (*)(const Node&, Settings&);
    constexpr std::pair<const char*, Read> kMembers[] = {
        {"jobExecutionsRolloutConfig", read_rollout},
        {"abortConfig", read_aborts},
        {"timeoutConfig", read_timeout},
        {"jobExecutionsRetryConfig", read_retries},
        {"presignedUrlConfig", read_links},
        {"schedulingConfig", read_schedule},
    };
    Settings settings;
    const Node node(members, "");
    for (const auto& [name, read] : kMembers) {
        if (!node.has(name)) continue;
        if (!node.at(name).value().is_object()) return node.at(name).wrong("an object");
        if (auto good = read(node.at(name), settings); !good) return std::move(good).error();
    }
    return settings;
}

Settings stored_settings(std::string_view text) {
    const json members = json::parse(text, nullptr, false);
    auto settings = parse_settings(members.is_object() ? members : json::object());
    return settings ? std::move(*settings) : Settings{};
}

}  // namespace hatchery::jobs
