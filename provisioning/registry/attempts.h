// Traces of attempts: what a device or a station asked for, each step of the answer, and why it
// ended as it did. Bounded in number; the oldest go first.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace hatchery::registry {

/// The numbers are stored: append only.
enum class AttemptKind {
    Connect,           ///< an MQTT CONNECT
    Packet,            ///< a packet or delivery of an open connection that a policy denied
    CreateKeys,        ///< CreateKeysAndCertificate over MQTT
    CreateFromCsr,     ///< CreateCertificateFromCsr over MQTT
    RegisterThing,     ///< RegisterThing over MQTT
    RegisterThingApi,  ///< RegisterThing of the control plane
    RegisterBulk,      ///< a line of a bulk registration; refused ones only
};
std::string_view to_string(AttemptKind kind);  ///< "connect", "register-thing" …

struct AttemptStep {
    std::string name;  ///< what was looked at: "certificate", "CA", "template", "hook" …
    bool passed = true;
    std::string expected;  ///< may be empty
    std::string found;     ///< what was there, or the error's message
    std::string where;     ///< JSON pointer in the template, policy statement, or empty
};

struct Attempt {
    AttemptKind kind = AttemptKind::Connect;
    bool succeeded = false;
    std::string code;  ///< to_string(Code) of the refusal, or empty
    Time first, last;
    std::int64_t count = 1;              ///< identical attempts in a row are one
    std::vector<std::string> names;      ///< whatever it may be looked for by, see `find_attempts`
    std::string certificate, client_id;  ///< of who asked; empty if not known
    std::string thing, template_name, source;
    std::vector<AttemptStep> steps;
};

/// How many refusals, and how many successes, are kept.
inline constexpr std::int64_t kMaxRefusals = 20'000;
inline constexpr std::int64_t kMaxSuccesses = 10'000;

/// Stores a new trace; its key.
Result<std::int64_t> add_attempt(store::Tx&, const Attempt&);
/// The same attempt again, `times` more, the last one at `last`. @errors NotFound  it was trimmed
Result<> repeat_attempt(store::Tx&, std::int64_t key, Time last, std::int64_t times);
/// Deletes the oldest beyond the two limits.
Result<> trim_attempts(store::Tx&, std::int64_t max_refusals, std::int64_t max_successes);

/// The newest `limit` attempts that have `name` among their names: a certificate id, a serial
/// number in decimal or hexadecimal, a client id, a thing. Reads every trace: for people.
Result<std::vector<Attempt>> find_attempts(store::Reader&, std::string_view name, int limit);

}  // namespace hatchery::registry
