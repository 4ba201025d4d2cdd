// Pre-provisioning hooks: may this device register? AWS's contract, payload version 2020-04-01.
// In: a HookEvent. Out: a HookDecision. Whatever goes wrong (timeout, bad output, crash) is a
// refusal: closed, never open. Kinds: allow_list (in process), command (long-lived worker
// processes). Knows no MQTT, no REST.
#pragma once

#include "ca/base/error.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::hooks {

/// AWS IoT Developer Guide, "Pre-provisioning hooks", input of the Lambda function.
struct HookEvent {
    std::string claim_certificate_id;
    std::string certificate_id;
    std::string certificate_pem;
    std::string template_arn;
    std::string client_id;
    std::map<std::string, std::string> parameters;
};

struct HookDecision {
    bool allow = false;
    std::map<std::string, std::string> parameter_overrides;
    std::string reason;  ///< why it was refused, for the operator's log; empty when allowed
};

/// One hook. Implementations are thread-safe: many devices ask at once.
class Hook {
  public:
    virtual ~Hook() = default;
    /// Decides within `timeout`. A refusal by rule is a decision with allow = false; a hook that
    /// could not decide is an Error (Unavailable: timeout, worker died; InvalidRequest: malformed
    /// or oversized answer). Both refuse the device.
    virtual Result<HookDecision> decide(const HookEvent& event,
                                        std::chrono::milliseconds timeout) = 0;
};

/// `[hooks.NAME]` of hatchery.toml.
struct HookConfig {
    std::string name;
    std::string kind;  ///< "allow-list" or "command"
    // allow-list: the parameter to look at and what it may be
    std::string parameter = "SerialNumber";
    std::vector<std::string> serial_numbers;  ///< exact
    std::vector<std::string> prefixes;
    std::string file;  ///< one serial number a line, # comments; read at start
    // command: argv of the worker, how many run at once
    std::vector<std::string> command;
    int workers = 2;
    std::chrono::milliseconds timeout{5000};  ///< at most 5 s, AWS's limit
};

/// All hooks of a service, by name. Thread-safe.
class HookSet {
  public:
    HookSet();
    ~HookSet();
    HookSet(HookSet&&) noexcept;
    HookSet& operator=(HookSet&&) noexcept;
    /// @errors InvalidRequest  unknown kind, missing or contradictory keys, unreadable file;
    /// `where` = "hooks.NAME.key"
    static Result<HookSet> make(const std::vector<HookConfig>& configs);
    /// By name, or by the function name of a Lambda ARN
    /// (arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]). Runs the hook within its
    /// configured timeout.
    /// @errors NotFound  no such hook (the device is refused); and those of Hook::decide
    Result<HookDecision> decide(std::string_view name_or_arn, const HookEvent& event) const;
    bool has(std::string_view name_or_arn) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The event as AWS sends it to the function: one line of JSON, without a newline.
std::string to_json(const HookEvent& event);
/// Reads a function's answer. allowProvisioning must be JSON true to allow; parameterOverrides may
/// be absent or null.
/// @errors InvalidRequest  not a JSON object, over 64 KiB, allowProvisioning missing or no boolean,
/// overrides no strings
Result<HookDecision> parse_decision(std::string_view json);

}  // namespace hatchery::hooks
