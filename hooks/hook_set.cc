#include "hooks/allow_list.h"
#include "hooks/answer.h"
#include "hooks/chain.h"
#include "hooks/command.h"
#include "hooks/http.h"
#include "hooks/library.h"
#include "hooks/rules.h"
#include "provisioning/log/log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

namespace hatchery::hooks {

namespace {

constexpr std::chrono::milliseconds kMaxTimeout{5000};  // AWS's limit

struct Named {
    std::unique_ptr<Hook> hook;
    std::chrono::milliseconds timeout;
    bool is_chain = false;
    bool may_wait = true;  ///< for somebody else than this process

    Result<HookDecision> decide(const HookEvent& event) const;
};

thread_local WaitObserver* wait_observer = nullptr;

/// While it lives, this thread waits.
class Wait {
  public:
    explicit Wait(WaitObserver* observer) : observer_(observer) {
        if (observer_ != nullptr) observer_->waiting();
    }
    ~Wait() {
        if (observer_ != nullptr) observer_->going_on();
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

  private:
    WaitObserver* observer_;
};

Result<HookDecision> Named::decide(const HookEvent& event) const {
    const Wait wait(may_wait ? wait_observer : nullptr);
    return hook->decide(event, timeout);
}

/// NAME of arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]; other text is a name itself.
std::string_view hook_name(std::string_view name_or_arn) {
    std::array<std::string_view, 7> parts;
    std::string_view rest = name_or_arn;
    for (auto& part : parts) {
        const auto colon = rest.find(':');
        part = rest.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    }
    const bool is_lambda = parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function";
    return is_lambda ? parts[6] : name_or_arn;
}

struct Key {
    const char* name;
    bool (*is_set)(const HookConfig&);
    std::vector<std::string_view> kinds;
};

const std::vector<Key>& keys_by_kind() {
    static const std::vector<Key> kKeys{
        {"serial_numbers", [](const auto& c) { return !c.serial_numbers.empty(); }, {"allow-list"}},
        {"prefixes", [](const auto& c) { return !c.prefixes.empty(); }, {"allow-list"}},
        {"file", [](const auto& c) { return !c.file.empty(); }, {"allow-list"}},
        {"list", [](const auto& c) { return !c.list.empty(); }, {"allow-list"}},
        {"command", [](const auto& c) { return !c.command.empty(); }, {"command"}},
        {"environment",
         [](const auto& c) { return !c.environment.empty(); },
         {"command", "lambda"}},
        {"handler", [](const auto& c) { return !c.handler.empty(); }, {"lambda"}},
        {"interpreter", [](const auto& c) { return !c.interpreter.empty(); }, {"lambda"}},
        {"workers",
         [](const auto& c) { return c.workers != 0; },
         {"command", "lambda", "http", "library"}},
        {"rules", [](const auto& c) { return !c.rules.empty(); }, {"rules"}},
        {"url", [](const auto& c) { return !c.url.empty(); }, {"http"}},
        {"ca_file", [](const auto& c) { return !c.ca_file.empty(); }, {"http"}},
        {"bearer_file", [](const auto& c) { return !c.bearer_file.empty(); }, {"http"}},
        {"hmac_file", [](const auto& c) { return !c.hmac_file.empty(); }, {"http"}},
        {"library", [](const auto& c) { return !c.library.empty(); }, {"library"}},
        {"configuration", [](const auto& c) { return !c.configuration.empty(); }, {"library"}},
        {"hooks", [](const auto& c) { return !c.hooks.empty(); }, {"chain"}}};
    return kKeys;
}

/// Keys of another kind would be ignored in silence; for an allow-list that is a hole.
Result<> check_keys(const HookConfig& config) {
    for (const auto& key : keys_by_kind()) {
        const auto& kinds = key.kinds;
        if (!key.is_set(config) ||
            std::find(kinds.begin(), kinds.end(), config.kind) != kinds.end())
            continue;
        return fail(Code::InvalidRequest,
                    "a hook of the kind " + config.kind + " has no " + key.name,
                    key.name);
    }
    if (config.timeout.count() < 1 || config.timeout > kMaxTimeout) {
        return fail(
            Code::InvalidRequest,
            "expected a timeout of 1 to 5000 ms, found " + std::to_string(config.timeout.count()),
            "timeout");
    }
    return {};
}

Result<std::unique_ptr<Hook>> make_hook(const HookConfig& config,
                                        const Surroundings& surroundings) {
    struct Kind {
        std::string_view name;
        Result<std::unique_ptr<Hook>> (*make)(const HookConfig&, const Surroundings&);
    };
    static const std::vector<Kind> kKinds{
        {"allow-list",
         [](const auto& c, const auto& outside) { return make_allow_list(c, outside.lists); }},
        {"command", [](const auto& c, const auto&) { return make_command(c); }},
        {"lambda", [](const auto& c, const auto&) { return make_lambda(c); }},
        {"http", [](const auto& c, const auto&) { return make_http(c); }},
        {"library", [](const auto& c, const auto&) { return make_library(c); }},
        {"rules", [](const auto& c, const auto&) { return make_rules(c); }},
        {"chain", nullptr}};  // made from the others, once they are there
    std::string known;
    for (const auto& kind : kKinds) {
        if (kind.name != config.kind) {
            known.append(known.empty() ? "" : ", ").append(kind.name);
            continue;
        }
        if (auto checked = check_keys(config); !checked) return std::move(checked).error();
        if (kind.make == nullptr) return std::unique_ptr<Hook>();
        return kind.make(config, surroundings);
    }
    return fail(Code::InvalidRequest,
                "expected one of " + known + ", found \"" + config.kind + "\"",
                "kind");
}

/// What people call the device: the parameter that holds its serial number, if there is one.
std::string serial_of(const HookEvent& event) {
    for (const char* name : {"SerialNumber", "AWS::IoT::Certificate::SerialNumber"}) {
        const auto found = event.parameters.find(name);
        if (found != event.parameters.end()) return found->second;
    }
    return {};
}

void log_decision(std::string_view name,
                  const HookEvent& event,
                  std::chrono::microseconds took,
                  const Result<HookDecision>& decision) {
    const bool is_allowed = decision && decision->allow;
    const auto log = logger("hooks");
    const auto level = is_allowed ? spdlog::level::info : spdlog::level::warn;
    if (!log->should_log(level)) return;
    const char* outcome = is_allowed ? "allow" : decision ? "refuse" : "error";
    const std::string reason = decision ? decision->reason : to_string(decision.error());
    log->log(level,
             "decided hook={} outcome={} ms={}.{:03} client_id={} serial={} certificate_id={} "
             "template={} reason={}",
             log_value(name),
             outcome,
             took.count() / 1000,
             took.count() % 1000,
             log_value(event.client_id),
             log_value(serial_of(event)),
             log_value(event.certificate_id),
             log_value(event.template_arn),
             log_value(reason));
}

Result<> check_overrides(const HookDecision& decision, const Declares& declares) {
    if (!declares) return {};
    for (const auto& [parameter, value] : decision.parameter_overrides) {
        if (declares(parameter)) continue;
        return fail(Code::Forbidden,
                    "it overrides the parameter " + cut(parameter, 128) +
                        ", which the template does not declare");
    }
    return {};
}

using Hooks = std::map<std::string, Named, std::less<>>;

/// A chain names hooks that are no chains themselves, so that it has an end.
Result<std::unique_ptr<Hook>> chain_of(const HookConfig& config, const Hooks& hooks) {
    const std::string where = "hooks." + config.name + ".hooks";
    if (config.hooks.empty()) {
        return fail(Code::InvalidRequest, "expected the names of other hooks", where);
    }
    std::vector<ChainMember> members;
    for (const auto& name : config.hooks) {
        const auto found = hooks.find(name);
        if (found == hooks.end()) {
            return fail(Code::InvalidRequest, "there is no hook named " + name, where);
        }
        if (!found->second.hook || found->second.is_chain) {
            return fail(Code::InvalidRequest, name + " is a chain itself", where);
        }
        members.push_back({name, found->second.hook.get(), found->second.timeout});
    }
    return make_chain(std::move(members));
}

}  // namespace

struct HookSet::Impl {
    Hooks hooks;
};

void observe_waits(WaitObserver* observer) {
    wait_observer = observer;
}

HookSet::HookSet() : impl_(std::make_unique<Impl>()) {}
HookSet::~HookSet() = default;
HookSet::HookSet(HookSet&&) noexcept = default;
HookSet& HookSet::operator=(HookSet&&) noexcept = default;

Result<HookSet> HookSet::make(const std::vector<HookConfig>& configs,
                              const Surroundings& surroundings) {
    HookSet set;
    for (const auto& config : configs) {
        const std::string where = "hooks." + config.name;
        if (config.name.empty() || hook_name(config.name) != config.name) {
            return fail(Code::InvalidRequest, "expected a hook's name", where);
        }
        if (set.has(config.name)) {
            return fail(Code::InvalidRequest, "there are two hooks of this name", where);
        }
        auto hook = make_hook(config, surroundings);
        if (!hook) {
            auto error = std::move(hook).error();
            error.where = where + "." + error.where;
            return error;
        }
        const bool may_wait = config.kind != "rules" && config.kind != "allow-list";
        set.impl_->hooks.emplace(
            config.name, Named{*std::move(hook), config.timeout, config.kind == "chain", may_wait});
    }
    for (const auto& config : configs) {
        if (config.kind != "chain") continue;
        auto chain = chain_of(config, set.impl_->hooks);
        if (!chain) return std::move(chain).error();
        set.impl_->hooks.find(config.name)->second.hook = std::move(*chain);
    }
    return set;
}

bool HookSet::has(std::string_view name_or_arn) const {
    return impl_->hooks.contains(hook_name(name_or_arn));
}

Result<HookDecision> HookSet::decide(std::string_view name_or_arn,
                                     const HookEvent& event,
                                     const Declares& declares) const {
    const auto name = hook_name(name_or_arn);
    const auto started = std::chrono::steady_clock::now();
    const auto found = impl_->hooks.find(name);
    auto decision =
        found != impl_->hooks.end()
            ? found->second.decide(event)
            : Result<HookDecision>(fail(Code::NotFound, "no hook named " + std::string(name)));
    if (decision && decision->allow) {
        if (auto checked = check_overrides(*decision, declares); !checked) {
            decision = std::move(checked).error();
        }
    }
    log_decision(name,
                 event,
                 std::chrono::duration_cast<std::chrono::microseconds>(
                     std::chrono::steady_clock::now() - started),
                 decision);
    return decision;
}

}  // namespace hatchery::hooks
