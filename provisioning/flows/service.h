// What every flow works with, and the account-wide settings. Built once by `serve` (or a command),
// outlives the fronts.
#pragma once

#include "ca/issuer.h"
#include "hooks/hook.h"
#include "provisioning/policy/policy.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/store/store.h"
#include "templates/template.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hatchery::files {
class Links;
}
namespace hatchery::rule_actions {
class Engine;
}

namespace hatchery::flows {

struct Settings {
    registry::Account account;
    templates::SerialNumberSource serial_number_source = templates::SerialNumberSource::Auto;
    ca::KeyKind device_key = ca::KeyKind::Rsa2048;  ///< of CreateKeysAndCertificate
    std::chrono::seconds ownership_token_lifetime{3600};
    std::string endpoint_host = "localhost";  ///< DescribeEndpoint's answer, without port
    bool control_plane_tls = false;           ///< are the links that it gives https?
    // Of messages that come by HTTPS; AWS IoT's quotas.
    std::size_t max_topic_bytes = 256;
    std::size_t max_topic_levels = 8;
    std::size_t max_payload_bytes = 128 * 1024;
    /// PEM of whom the keys that the service makes are kept for, encrypted (escrow.h); empty:
    /// nobody.
    std::string escrow_recipient{};
    std::chrono::days keep_registrations{90};  ///< bulk registrations that are over
};

/// Compiled documents by their text, CA certificates by their id: neither ever changes, so an entry
/// is never stale. Bounded; thread-safe.
class CompiledCache {
  public:
    CompiledCache();
    ~CompiledCache();
    /// @errors InvalidRequest  the template does not compile (to_error)
    Result<templates::Template> provisioning_template(std::string_view body, templates::Kind kind);
    /// @errors MalformedPolicy
    Result<policy::Document> policy_document(std::string_view text);
    /// OpenSSL needs longer to read a certificate than to verify a signature with it.
    /// @errors CertificateInvalid
    Result<ca::Certificate> ca_certificate(const registry::CaCertificate& record);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class BulkDesk;
class KeyPool;
class Messages;
class TraceLog;

/// References to the parts, owned by the caller of every flow. All parts are thread-safe.
struct Service {
    store::Store& store;
    const ca::Issuer& issuer;  ///< the issuing CA that signs certificates made here
    registry::StoreLedger& ledger;
    const std::map<std::string, ca::Profile, std::less<>>& profiles;
    const hooks::HookSet& hooks;
    CompiledCache& compiled;
    Settings settings;
    KeyPool* key_pool = nullptr;   ///< device keys made ahead (key_pool.h); without it each waits
    TraceLog* traces = nullptr;    ///< where attempts are explained (trace.h); may be none
    Messages* messages = nullptr;  ///< to the broker (messages.h); none without a gateway
    /// Issuing CAs before `issuer`: what they signed is still good (`hatchery ca rotate`).
    std::vector<const ca::Issuer*> earlier_issuers{};
    BulkDesk* bulk = nullptr;             ///< bulk registrations (bulk_desk.h); a command has none
    const files::Links* links = nullptr;  ///< to kept files (files/links.h); a command has none
    rule_actions::Engine* rules = nullptr;  ///< topic rules; a command has none
};

}  // namespace hatchery::flows
