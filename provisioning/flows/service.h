// What every flow works with, and the account-wide settings. Built once by `serve` (or a command),
// outlives the fronts.
#pragma once

#include "ca/issuer.h"
#include "hooks/hook.h"
#include "provisioning/policy/policy.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/templates.h"
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

using CaRecords = std::shared_ptr<const std::vector<registry::CaCertificate>>;

/// Compiled documents by their text, CA certificates by their id: neither ever changes, so an entry
/// is never stale. And records that every first connect asks for, as of an identity generation:
/// what changes them raises it, in whatever process. Bounded; thread-safe.
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

    /// Each as the registry has it. @param generation  of the reader's view
    Result<registry::ProvisioningTemplate> named_template(store::Reader& reader,
                                                          const std::string& name,
                                                          std::uint64_t generation);
    Result<CaRecords> cas_by_subject(store::Reader& reader,
                                     ByteView subject_der,
                                     std::uint64_t generation);
    /// The name of the factory station whose certificate this is.
    Result<std::optional<std::string>> station_of(store::Reader& reader,
                                                  const CertificateId& certificate,
                                                  std::uint64_t generation);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// How long each write that makes a device waits for those of other devices, to share their commit
/// and its fsync: less than a handshake over the Internet takes, and only once in a device's life.
inline constexpr store::Store::Patience kWaitsForCompany{10'000};

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
