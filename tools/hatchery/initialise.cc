#include "tools/hatchery/initialise.h"

#include "ca/digest.h"
#include "provisioning/flows/issue.h"
#include "provisioning/registry/schema.h"
#include "tools/hatchery/access_keys.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/staging.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kYear = std::chrono::days(365);
constexpr std::chrono::seconds kRootValidity = 20 * kYear;
constexpr std::chrono::seconds kIssuingValidity = 10 * kYear;
constexpr std::size_t kMaxCommonName = 64;  // RFC 5280, ub-common-name
constexpr std::size_t kMaxNames = 100;

bool is_address(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1;
}

std::vector<std::string> default_names() {
    std::vector<std::string> names{"localhost", "127.0.0.1"};
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) return names;
    const std::string name = host.data();
    // A host's name need not be one that a certificate can carry: then it is left out.
    if (check_host(name) && std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
    }
    return names;
}

/// A certificate authority being built: its certificate and key.
struct Authority {
    ca::Certificate certificate;
    ca::PrivateKey key;
};

/// Writes `key` encrypted, 0600.
Result<> store_key(const fs::path& path, const ca::PrivateKey& key, const Secret& passphrase) {
    auto pem = key.to_encrypted_pem(passphrase);
    if (!pem) return std::move(pem).error();
    return write_file(path, *pem, kPrivate, Existing::Refuse);
}

Result<ca::Profile> shipped_profile(std::string_view name) {
    for (const auto& shipped : ca::shipped_profiles()) {
        if (shipped.name == name) return ca::Profile::parse(shipped.toml, shipped.name);
    }
    return fail(Code::Internal, "no shipped profile " + std::string(name));
}

/// One data directory being filled, step by step in the order of `fill`.
class Builder {
  public:
    Builder(Layout layout, const InitChoices& choices, const Secret& passphrase, Time now)
        : layout_(std::move(layout)), choices_(choices), passphrase_(passphrase), now_(now) {
        config_.account = choices.account;
        names_ = choices.names.empty() ? default_names() : choices.names;
        config_.server.host = names_.front();
    }

    /// @return the first access key
    Result<Credentials> fill() {
        if (auto made = make_folders(); !made) return std::move(made).error();
        auto store = registry::open(layout_.database());
        if (!store) return std::move(store).error();
        if (auto made = make_authorities(**store); !made) return std::move(made).error();
        auto credentials = make_access(**store);
        if (!credentials) return std::move(credentials).error();
        if (auto written = write_texts(); !written) return std::move(written).error();
        return credentials;
    }
    const Config& config() const { return config_; }

  private:
    Result<> make_folders() const {
        for (const auto* name : {"ca", "server", "keys", "profiles", "run"}) {
            if (auto made = make_private_directory(layout_.root / name); !made) return made;
        }
        return {};
    }

    /// Root, issuing CA and server certificate; the latter two by way of the ledger.
    Result<> make_authorities(store::Store& store) {
        const std::string mark = to_hex(ca::random_bytes(4));  // tells two directories' CAs apart
        auto root = make_root_authority("Hatchery Root CA " + mark);
        if (!root) return std::move(root).error();
        auto issuing = make_issuing_authority(store, *root, "Hatchery Issuing CA " + mark);
        if (!issuing) return std::move(issuing).error();
        auto issuer =
            ca::Issuer::make(issuing->certificate, std::move(issuing->key), {root->certificate});
        if (!issuer) return std::move(issuer).error();
        return make_server_identity(store, *issuer);
    }

    Result<Authority> make_root_authority(const std::string& name) const {
        auto key = ca::PrivateKey::generate(choices_.key_kind);
        if (!key) return std::move(key).error();
        auto certificate = ca::make_root(*key, name, kRootValidity, now_);
        if (!certificate) return std::move(certificate).error();
        if (auto stored = store_key(layout_.root_key(), *key, passphrase_); !stored) {
            return std::move(stored).error();
        }
        auto written =
            write_file(layout_.root_certificate(), certificate->pem(), kPublic, Existing::Refuse);
        if (!written) return std::move(written).error();
        return Authority{std::move(*certificate), std::move(*key)};
    }

    Result<Authority> make_issuing_authority(store::Store& store,
                                             const Authority& root,
                                             const std::string& name) const {
        auto issuer = ca::Issuer::make(root.certificate, root.key, {});
        if (!issuer) return std::move(issuer).error();
        auto key = ca::PrivateKey::generate(choices_.key_kind);
        if (!key) return std::move(key).error();
        auto profile = shipped_profile("sub-ca");
        if (!profile) return std::move(profile).error();
        profile->validity = kIssuingValidity;
        const ca::CsrSubject subject{{{std::string(ca::oid::kCommonName), name}}, {}, {}};
        auto certificate = issue(store, *issuer, *key, subject, *profile);
        if (!certificate) return std::move(certificate).error();
        if (auto stored = store_key(layout_.issuing_key(), *key, passphrase_); !stored) {
            return std::move(stored).error();
        }
        auto written = write_file(
            layout_.issuing_certificate(), certificate->pem(), kPublic, Existing::Refuse);
        if (!written) return std::move(written).error();
        return Authority{std::move(*certificate), std::move(*key)};
    }

    Result<> make_server_identity(store::Store& store, const ca::Issuer& issuer) const {
        auto key = ca::PrivateKey::generate(choices_.key_kind);
        if (!key) return std::move(key).error();
        auto profile = shipped_profile("server");
        if (!profile) return std::move(profile).error();
        ca::CsrSubject subject;
        for (const auto& name : names_) {
            (is_address(name) ? subject.ip_addresses : subject.dns_names).push_back(name);
        }
        if (names_.front().size() <= kMaxCommonName) {
            subject.attributes.emplace_back(ca::oid::kCommonName, names_.front());
        }
        auto certificate = issue(store, issuer, *key, subject, *profile);
        if (!certificate) return std::move(certificate).error();
        if (auto stored = store_key(layout_.server_key(), *key, passphrase_); !stored) {
            return stored;
        }
        return write_file(layout_.server_certificate(),
                          issuer.chain_pem(*certificate),
                          kPublic,
                          Existing::Refuse);
    }

    Result<ca::Certificate> issue(store::Store& store,
                                  const ca::Issuer& issuer,
                                  const ca::PrivateKey& key,
                                  const ca::CsrSubject& subject,
                                  const ca::Profile& profile) const {
        auto pem = ca::make_csr(key, subject);
        if (!pem) return std::move(pem).error();
        auto csr = ca::Csr::parse(bytes_of(*pem));
        if (!csr) return std::move(csr).error();
        registry::StoreLedger ledger(store);
        return flows::issue(store, ledger, issuer, *csr, profile, requester(), now_);
    }

    Result<Credentials> make_access(store::Store& store) const {
        const ca::WrapKey wrap = ca::WrapKey::generate();
        auto sealed = wrap.seal(passphrase_);
        if (!sealed) return std::move(sealed).error();
        auto written = write_file(layout_.wrap_key(), text_of(*sealed), kPrivate, Existing::Refuse);
        if (!written) return std::move(written).error();
        auto key = make_access_key(wrap, "admin", now_);
        if (!key) return std::move(key).error();
        auto added = store.write(
            [&](store::Tx& tx) -> Result<> { return registry::add_access_key(tx, key->row); });
        if (!added) return std::move(added).error();
        return std::move(key->credentials);
    }

    Result<> write_texts() const {
        for (const auto& profile : ca::shipped_profiles()) {
            const fs::path path = layout_.profiles() / (std::string(profile.name) + ".toml");
            if (auto written = write_file(path, profile.toml, kPrivate, Existing::Refuse);
                !written) {
                return written;
            }
        }
        return write_file(layout_.config(), render_config(config_), kPrivate, Existing::Refuse);
    }

    Layout layout_;
    const InitChoices& choices_;
    const Secret& passphrase_;
    Time now_;
    Config config_;
    std::vector<std::string> names_;
};

Result<> at_option(Result<> checked, std::string_view option) {
    if (checked) return checked;
    Error error = std::move(checked).error();
    error.where = option;
    return error;
}

}  // namespace

Result<> check_choices(const InitChoices& choices) {
    auto account = at_option(check_account_id(choices.account.id), "--account");
    if (!account) return account;
    auto region = at_option(check_region(choices.account.region), "--region");
    if (!region) return region;
    if (choices.names.size() > kMaxNames) {
        return fail(
            Code::InvalidRequest, "expected at most " + std::to_string(kMaxNames), "--name");
    }
    for (const auto& name : choices.names) {
        if (auto checked = at_option(check_host(name), "--name"); !checked) return checked;
    }
    return {};
}

Result<> check_can_initialise(const fs::path& directory) {
    return Staging::check(directory);
}

Result<Initialised> initialise(const fs::path& directory,
                               const InitChoices& choices,
                               const Secret& passphrase,
                               Time now) {
    auto staging = Staging::make(directory);
    if (!staging) return std::move(staging).error();
    Builder builder({staging->path()}, choices, passphrase, now);
    auto credentials = builder.fill();
    if (!credentials) return std::move(credentials).error();
    // hatchery.toml comes last: a directory that has one has everything.
    auto target = staging->commit(Layout{}.config().filename());
    if (!target) return std::move(target).error();
    return Initialised{Layout{*target}, builder.config(), std::move(*credentials)};
}

}  // namespace hatchery::command
