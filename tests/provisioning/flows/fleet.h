// A service with everything real in a directory of its own, and a factory that makes device
// certificates.
#pragma once

#include "provisioning/flows/admit.h"
#include "provisioning/flows/claim.h"
#include "provisioning/flows/service.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/templates.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hatchery::flows::testing {

/// 2027-01-01T00:00:00Z: inside the validity of everything below tests/data/flows.
inline constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2027} / 1 / 1};

/// The content of tests/data/flows/`name`; aborts if there is no such file.
std::string data(const std::string& name);
ca::Certificate certificate_from(const std::string& name);

/// The value, or the end of the test program with the error's text.
template <class T>
T must(Result<T> result) {
    if (!result) {
        ADD_FAILURE() << to_string(result.error());
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

using Attributes = std::vector<std::pair<std::string, std::string>>;

/// A private CA of a factory: issues through the real issuer and ledger, in a store of its own.
class Factory {
  public:
    explicit Factory(std::string_view common_name = "IoT Devices Root CA",
                     Time made = kNow,
                     std::chrono::seconds validity = std::chrono::hours{24 * 365 * 20});
    const ca::Certificate& root() const { return issuer_.certificate(); }
    ca::Certificate device(const Attributes& subject,
                           Time made = kNow,
                           std::chrono::seconds validity = std::chrono::hours{24 * 365});

  private:
    hatchery::testing::TempDirectory directory_;
    std::unique_ptr<store::Store> store_;
    registry::StoreLedger ledger_;
    ca::Issuer issuer_;
};

/// The subject of the tutorial's devices.
Attributes tutorial_subject();

/// The service. Members are public: a test arranges and asserts with the registry's own functions.
struct Fleet {
    explicit Fleet(const std::vector<hooks::HookConfig>& hook_configs = {},
                   std::chrono::seconds root_validity = std::chrono::hours{24 * 365 * 30});

    template <class F>
    auto read(F&& work) {
        return store->read([&](store::Reader& reader) { return work(reader); });
    }
    template <class F>
    auto write(F&& work) {
        return store->write([&](store::Tx& tx) { return work(tx); });
    }

    /// Registers `root` ACTIVE with auto registration and JITP by `template_name` (empty: JITR).
    void register_ca(const ca::Certificate& root, const std::string& template_name);
    void update_ca(const ca::Certificate& root, const registry::CaUpdate& update);
    void add_policy(const std::string& name, const std::string& document);
    void add_template(const std::string& name,
                      const std::string& body,
                      bool is_jitp,
                      std::optional<std::string> hook = {},
                      bool enabled = true);
    /// Thing type, groups with parent, billing group, policy and template of the JITP tutorial.
    void set_up_tutorial();
    /// A registered ACTIVE certificate with `policy`, if it is not empty.
    CertificateId add_active(const ca::Certificate& certificate, const std::string& policy);

    /// The certificate's status, or "unknown".
    std::string status(const CertificateId& id);
    std::size_t thing_count();

    hatchery::testing::TempDirectory directory;
    std::unique_ptr<store::Store> store;
    ca::Issuer issuer;
    registry::StoreLedger ledger;
    std::map<std::string, ca::Profile, std::less<>> profiles;
    hooks::HookSet hook_set;
    CompiledCache compiled;
    Service service;
};

ConnectRequest connect_with(const ca::Certificate& certificate, const std::string& client_id);
/// The refusal's text with its `where`, or "admitted".
std::string refusal(const AdmitOutcome& outcome);

extern const std::string kTutorialTemplate;
extern const std::string kTutorialPolicy;

}  // namespace hatchery::flows::testing
