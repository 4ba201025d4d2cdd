#include "hooks/library.h"

#include "hooks/answer.h"
#include "hooks/command.h"
#include "hooks/plugin.h"

#include <dlfcn.h>

#include <atomic>

namespace hatchery::hooks {

namespace {

constexpr int kNormalCalls = 64;  // at once; more than that hang, or the plugin is slow
constexpr std::size_t kMaxOverrides = 1000;

hatchery_text text_in(const std::string& text) {
    return {text.data(), text.size()};
}

HookDecision& decision_in(void* context) {
    return *static_cast<HookDecision*>(context);
}
void answer_allow(void* context) {
    decision_in(context).allow = true;
}
void answer_override(void* context, const char* name, const char* value) {
    auto& overrides = decision_in(context).parameter_overrides;
    if (name != nullptr && value != nullptr && overrides.size() < kMaxOverrides) {
        overrides.insert_or_assign(cut(name, 1024), cut(value, 65536));
    }
}
void answer_refuse(void* context, const char* reason) {
    decision_in(context).reason = cut(reason == nullptr ? "" : reason, 1024);
    if (decision_in(context).reason.empty()) decision_in(context).reason = "the plugin refused";
}

struct Functions {
    decltype(&hatchery_hook_open) open = nullptr;
    decltype(&hatchery_hook_decide) decide = nullptr;
    decltype(&hatchery_hook_close) close = nullptr;
};

class Library : public Hook {
  public:
    /// @param hook  what the plugin's open gave
    Library(Functions functions, void* hook, int most)
        : functions_(functions), hook_(hook), most_(most) {}
    // The object stays loaded: threads and exit handlers that it started may still run its code.
    ~Library() override { functions_.close(hook_); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    Result<HookDecision> decide(const HookEvent& event,
                                std::chrono::milliseconds timeout) override {
        const Call call(running_);
        if (call.number > most_) {
            return fail(Code::Unavailable,
                        "the hook is busy: " + std::to_string(most_) + " calls of it run");
        }
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        auto decision = call_plugin(event);
        if (std::chrono::steady_clock::now() > deadline) {
            return fail(Code::Unavailable, "the plugin did not return in time");
        }
        return decision;
    }

  private:
    struct Call {
        explicit Call(std::atomic<int>& counter) : running(counter), number(++counter) {}
        ~Call() { --running; }
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        std::atomic<int>& running;
        int number;
    };

    Result<HookDecision> call_plugin(const HookEvent& event) const {
        std::vector<hatchery_parameter> parameters;
        parameters.reserve(event.parameters.size());
        for (const auto& [name, value] : event.parameters)
            parameters.push_back({text_in(name), text_in(value)});
        const hatchery_hook_event given{text_in(event.claim_certificate_id),
                                        text_in(event.certificate_id),
                                        text_in(event.certificate_pem),
                                        text_in(event.template_arn),
                                        text_in(event.client_id),
                                        parameters.data(),
                                        parameters.size()};
        HookDecision decision;
        const hatchery_hook_answer answer{&decision, answer_allow, answer_override, answer_refuse};
        int outcome = 0;
        try {
            outcome = functions_.decide(hook_, &given, &answer);
        } catch (...) {  // C++ behind the C interface
            return fail(Code::Unavailable, "the plugin threw an exception");
        }
        if (outcome != 0) {
            return fail(Code::Unavailable, "the plugin returned " + std::to_string(outcome));
        }
        if (!decision.reason.empty()) decision.allow = false;
        if (!decision.allow && decision.reason.empty())
            decision.reason = "the plugin did not allow";
        return decision;
    }

    Functions functions_;
    void* hook_;
    int most_;
    std::atomic<int> running_{0};
};

Error library_error(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "library");
}

std::string last_dl_error() {
    const char* const text = dlerror();  // NOLINT(concurrency-mt-unsafe): glibc keeps it a thread
    return text == nullptr ? "unknown error" : text;
}

template <class F>
bool find_function(void* object, const char* name, F& out) {
    out = reinterpret_cast<F>(dlsym(object, name));
    return out != nullptr;
}

}  // namespace

Result<std::unique_ptr<Hook>> make_library(const HookConfig& config) {
    if (config.library.empty()) return library_error("expected a shared object");
    if (auto checked = check_workers(config); !checked) return std::move(checked).error();
    void* const object = dlopen(config.library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (object == nullptr) return library_error("can't load it: " + last_dl_error());
    decltype(&hatchery_hook_abi_version) abi_version = nullptr;
    if (!find_function(object, "hatchery_hook_abi_version", abi_version)) {
        return library_error(config.library +
                             " is no hook: it has no function hatchery_hook_abi_version");
    }
    if (const int version = abi_version(); version != HATCHERY_HOOK_ABI) {
        return library_error("expected a plugin of version 1, found version " +
                             std::to_string(version));
    }
    Functions functions;
    if (!find_function(object, "hatchery_hook_open", functions.open) ||
        !find_function(object, "hatchery_hook_decide", functions.decide) ||
        !find_function(object, "hatchery_hook_close", functions.close)) {
        return library_error(config.library + " lacks hatchery_hook_open, _decide or _close");
    }
    void* hook = nullptr;
    if (const int outcome = functions.open(config.configuration.c_str(), &hook); outcome != 0) {
        return fail(Code::InvalidRequest,
                    "the plugin refused its configuration: it returned " + std::to_string(outcome),
                    "configuration");
    }
    return std::unique_ptr<Hook>(
        std::make_unique<Library>(functions, hook, workers_of(config, kNormalCalls)));
}

}  // namespace hatchery::hooks
