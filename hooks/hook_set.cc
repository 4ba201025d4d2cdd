#include "hooks/allow_list.h"
#include "hooks/command.h"
#include "hooks/hook.h"
#include "provisioning/log/log.h"

#include <spdlog/spdlog.h>

#include <array>

namespace hatchery::hooks {

namespace {

constexpr std::chrono::milliseconds kMaxTimeout{5000};  // AWS's limit

struct Named {
    std::unique_ptr<Hook> hook;
    std::chrono::milliseconds timeout;
};

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

/// Keys of another kind would be ignored in silence; for an allow-list that is a hole.
Result<> check_keys(const HookConfig& config) {
    const bool has_list =
        !config.serial_numbers.empty() || !config.prefixes.empty() || !config.file.empty();
    if (config.kind == "allow-list" && !config.command.empty()) {
        return fail(Code::InvalidRequest, "an allow-list has no command", "command");
    }
    if (config.kind == "command" && has_list) {
        return fail(Code::InvalidRequest,
                    "a command hook has no serial_numbers, prefixes or file",
                    "command");
    }
    if (config.timeout.count() < 1 || config.timeout > kMaxTimeout) {
        return fail(
            Code::InvalidRequest,
            "expected a timeout of 1 to 5000 ms, found " + std::to_string(config.timeout.count()),
            "timeout");
    }
    return {};
}

Result<std::unique_ptr<Hook>> make_hook(const HookConfig& config) {
    if (auto ok = check_keys(config); !ok) return std::move(ok).error();
    if (config.kind == "allow-list") return make_allow_list(config);
    if (config.kind == "command") return make_command(config);
    return fail(Code::InvalidRequest,
                "expected \"allow-list\" or \"command\", found \"" + config.kind + "\"",
                "kind");
}

void log_decision(std::string_view name,
                  const HookEvent& event,
                  std::chrono::milliseconds took,
                  const Result<HookDecision>& decision) {
    const bool is_allowed = decision && decision->allow;
    const char* outcome = is_allowed ? "allow" : decision ? "refuse" : "error";
    const std::string reason = decision ? decision->reason : to_string(decision.error());
    logger("hooks")->log(
        is_allowed ? spdlog::level::info : spdlog::level::warn,
        "decided hook={} outcome={} ms={} client_id={} certificate_id={} reason={}",
        log_value(name),
        outcome,
        took.count(),
        log_value(event.client_id),
        event.certificate_id,
        log_value(reason));
}

}  // namespace

struct HookSet::Impl {
    std::map<std::string, Named, std::less<>> hooks;
};

HookSet::HookSet() : impl_(std::make_unique<Impl>()) {}
HookSet::~HookSet() = default;
HookSet::HookSet(HookSet&&) noexcept = default;
HookSet& HookSet::operator=(HookSet&&) noexcept = default;

Result<HookSet> HookSet::make(const std::vector<HookConfig>& configs) {
    HookSet set;
    for (const auto& config : configs) {
        const std::string where = "hooks." + config.name;
        if (config.name.empty() || hook_name(config.name) != config.name) {
            return fail(Code::InvalidRequest, "expected a hook's name", where);
        }
        if (set.has(config.name)) {
            return fail(Code::InvalidRequest, "there are two hooks of this name", where);
        }
        auto hook = make_hook(config);
        if (!hook) {
            auto error = std::move(hook).error();
            error.where = where + "." + error.where;
            return error;
        }
        set.impl_->hooks.emplace(config.name, Named{*std::move(hook), config.timeout});
    }
    return set;
}

bool HookSet::has(std::string_view name_or_arn) const {
    return impl_->hooks.contains(hook_name(name_or_arn));
}

Result<HookDecision> HookSet::decide(std::string_view name_or_arn, const HookEvent& event) const {
    const auto name = hook_name(name_or_arn);
    const auto started = std::chrono::steady_clock::now();
    const auto found = impl_->hooks.find(name);
    auto decision =
        found != impl_->hooks.end()
            ? found->second.hook->decide(event, found->second.timeout)
            : Result<HookDecision>(fail(Code::NotFound, "no hook named " + std::string(name)));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    log_decision(name, event, took, decision);
    return decision;
}

}  // namespace hatchery::hooks
