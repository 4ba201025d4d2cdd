// Pre-provisioning hooks: may this device register? AWS's contract, payload version 2020-04-01.
// In: a HookEvent. Out: a HookDecision. Whatever goes wrong (timeout, bad output, crash) is a
// refusal: closed, never open. Kinds: allow-list, rules, library (in this process), command and
// lambda (long-lived worker processes), http, chain. Knows no MQTT, no REST, no database. Read
// first: HookSet, then command.cc.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/clock.h"

#include <chrono>
#include <functional>
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
    Time now{};  ///< when the device asked; not part of what AWS sends
};

/// A serial number that this device uses up. The caller commits it together with what the device
/// gets, or nothing of either: then a power cut neither loses the number nor lets it serve twice.
struct Reservation {
    std::string list;
    std::string serial_number;
    std::string template_name;
    Bytes key_sha256;  ///< of the device's SubjectPublicKeyInfo, where the entry is bound to a key
};

struct HookDecision {
    bool allow = false;
    std::map<std::string, std::string> parameter_overrides;
    std::string reason;  ///< why it was refused, for the operator's log; empty when allowed
    std::vector<Reservation> reservations{};
};

/// Lists of serial numbers that are kept in a database. Implementations are thread-safe.
class SerialLists {
  public:
    virtual ~SerialLists() = default;
    /// May the device of `event` use `serial_number` now? Changes nothing.
    /// @param single_use  a used number is refused, and an allowed one is among the reservations
    /// @errors of the database; they refuse the device
    virtual Result<HookDecision> look_up(const std::string& list,
                                         const std::string& serial_number,
                                         bool single_use,
                                         const HookEvent& event) = 0;
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

/// `[hooks.NAME]` of hatchery.toml. A key that the kind does not know must be left alone.
struct HookConfig {
    std::string name;
    /// "allow-list", "rules", "command", "lambda", "http", "library" or "chain"
    std::string kind;
    // allow-list: the parameter to look at and what it may be
    std::string parameter = "SerialNumber";
    std::vector<std::string> serial_numbers;  ///< exact
    std::vector<std::string> prefixes;
    std::string file;         ///< one serial number a line, # comments; read at start
    std::string list;         ///< a list of the database, by name, instead of the three above
    bool single_use = true;   ///< of a list of the database: a number registers once
    std::string rules;        ///< rules: the file
    std::string handler;      ///< lambda: FILE.py:FUNCTION, or FILE.mjs:, .cjs:, .js:
    std::string interpreter;  ///< lambda: the program that runs the handler; empty: by the file
    std::vector<std::string> command;                ///< command: argv of the worker
    std::map<std::string, std::string> environment;  ///< command, lambda: added to ours
    std::string url;                                 ///< http: https://…, or http://…
    std::string ca_file;                      ///< http: trusted CAs, PEM; empty: the system's
    std::string bearer_file;                  ///< http: file with a bearer token
    std::string hmac_file;                    ///< http: file with the key that signs each request
    std::string library;                      ///< library: the shared object (hooks/plugin.h)
    std::string configuration;                ///< library: handed to the plugin as it is
    std::vector<std::string> hooks;           ///< chain: names, in order
    int workers = 0;                          ///< how many run at once; 0: what suits the kind
    int queue = 1000;                         ///< how many may wait for a free worker
    std::chrono::milliseconds timeout{5000};  ///< at most 5 s, AWS's limit
};

/// What hooks need from outside.
struct Surroundings {
    SerialLists* lists = nullptr;  ///< for allow-lists with a `list`; outlives the hooks
};

/// Wants to know that one of its threads waits for a hook, to let another do its work meanwhile.
class WaitObserver {
  public:
    virtual ~WaitObserver() = default;
    virtual void waiting() = 0;   ///< on the thread that is about to wait
    virtual void going_on() = 0;  ///< on the same thread; it waits no more
};
/// From now on `observer` is told of the calling thread's waits in HookSet::decide; it outlives
/// the thread.
void observe_waits(WaitObserver* observer);

/// Says whether the template declares a parameter, which is what a hook may override.
using Declares = std::function<bool(const std::string& parameter)>;

/// All hooks of a service, by name. Thread-safe.
class HookSet {
  public:
    HookSet();
    ~HookSet();
    HookSet(HookSet&&) noexcept;
    HookSet& operator=(HookSet&&) noexcept;
    /// @errors InvalidRequest  unknown kind, missing or contradictory keys, unreadable file, a
    /// mistake in a rules file; `where` = "hooks.NAME.key"
    static Result<HookSet> make(const std::vector<HookConfig>& configs,
                                const Surroundings& surroundings = {});
    /// By name, or by the function name of a Lambda ARN
    /// (arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]). Runs the hook within its
    /// configured timeout, and logs one line with the outcome, the duration and the device.
    /// @param declares  if given: an override of a parameter that it does not know refuses
    /// @errors NotFound  no such hook (the device is refused); Forbidden  an override of an
    /// undeclared parameter; and those of Hook::decide
    Result<HookDecision> decide(std::string_view name_or_arn,
                                const HookEvent& event,
                                const Declares& declares = {}) const;
    bool has(std::string_view name_or_arn) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The event as AWS sends it to the function: one line of JSON, without a newline.
std::string to_json(const HookEvent& event);
/// The event of such a line, as a file for `hatchery hook test` holds it; members may be missing.
/// @errors InvalidRequest  not a JSON object, or a member that is no string; `where` = the member
Result<HookEvent> parse_event(std::string_view json);
/// Reads a function's answer. allowProvisioning must be JSON true to allow; parameterOverrides may
/// be absent or null.
/// @errors InvalidRequest  not a JSON object, over 64 KiB, allowProvisioning missing or no boolean,
/// overrides no strings; Unavailable  the function says that it raised
Result<HookDecision> parse_decision(std::string_view json);

}  // namespace hatchery::hooks
