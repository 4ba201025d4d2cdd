// The data directory of one server: its files, and opening what they hold.
//   hatchery.toml  hatchery.db          configuration, records
//   ca/            root and issuing CA: certificate, encrypted key
//   server/        the server's certificate chain and encrypted key
//   keys/          wrap.sealed, the master key of the access keys' secrets
//   profiles/      certificate profiles, one TOML file each
//   files/         files kept for devices, by the digest of their content
//   registrations/ reports of bulk registrations
//   weak-keys/     optional: lists of Debian's weak keys of 2008, openssl-blacklist's files
//   run/           while serving: lock, broker socket, ports.json
#pragma once

#include "ca/issuer.h"
#include "ca/profile.h"
#include "ca/seal.h"
#include "provisioning/store/store.h"
#include "tools/hatchery/config.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hatchery::command {

/// Where each file lies below a data directory.
struct Layout {
    std::filesystem::path root;

    std::filesystem::path config() const { return root / "hatchery.toml"; }
    std::filesystem::path database() const { return root / "hatchery.db"; }
    std::filesystem::path root_certificate() const { return root / "ca" / "root.crt"; }
    std::filesystem::path root_key() const { return root / "ca" / "root.key"; }
    std::filesystem::path issuing_certificate() const { return root / "ca" / "issuing.crt"; }
    std::filesystem::path issuing_key() const { return root / "ca" / "issuing.key"; }
    /// What `hatchery ca` keeps beside the CA in use: a request that waits for its certificate, and
    /// the CAs before it, ca/earlier/ID.crt and ID.key.
    std::filesystem::path pending_key() const { return root / "ca" / "pending.key"; }
    std::filesystem::path chain() const { return root / "ca" / "chain.pem"; }
    std::filesystem::path earlier() const { return root / "ca" / "earlier"; }
    std::filesystem::path server_certificate() const { return root / "server" / "server.crt"; }
    std::filesystem::path server_key() const { return root / "server" / "server.key"; }
    std::filesystem::path wrap_key() const { return root / "keys" / "wrap.sealed"; }
    std::filesystem::path profiles() const { return root / "profiles"; }
    std::filesystem::path files() const { return root / "files"; }
    /// Reports of bulk registrations, a folder a task.
    std::filesystem::path registration_reports() const { return root / "registrations"; }
    std::filesystem::path weak_keys() const { return root / "weak-keys"; }
    std::filesystem::path run() const { return root / "run"; }
    std::filesystem::path lock() const { return run() / "lock"; }
    std::filesystem::path ports() const { return run() / "ports.json"; }
};

using Profiles = std::map<std::string, ca::Profile, std::less<>>;

/// What TLS fronts present.
struct ServerIdentity {
    std::string certificate_chain_pem;
    ca::PrivateKey key;
};

/// A data directory whose configuration has been read. Every error says that the command could not
/// run (Unavailable, Unauthenticated), never that something was refused.
class DataDirectory {
  public:
    /// @errors Unavailable  no data directory, or its hatchery.toml is wrong
    static Result<DataDirectory> open(const std::filesystem::path& path);

    const Layout& layout() const { return layout_; }
    const Config& config() const { return config_; }

    Result<std::unique_ptr<store::Store>> open_store() const;
    /// @errors Unauthenticated  wrong passphrase; Unavailable  missing or damaged files
    Result<ca::Issuer> issuing_ca(const Secret& passphrase) const;
    /// Issuing CAs before the present one, newest first by name of file; none if there are none.
    Result<std::vector<ca::Issuer>> earlier_issuing_cas(const Secret& passphrase) const;
    /// The root, to sign CAs and its own list with.
    /// @errors Unavailable  its key is elsewhere (an offline root)
    Result<ca::Issuer> root_ca(const Secret& passphrase) const;
    Result<ca::WrapKey> wrap_key(const Secret& passphrase) const;
    Result<ServerIdentity> server_identity(const Secret& passphrase) const;
    /// The lists of keys that anybody can have; null if there are none.
    /// @errors Unavailable; InvalidRequest  no such list
    Result<std::shared_ptr<const ca::WeakKeys>> weak_keys() const;
    /// PEM of whom device keys are kept for; empty if nobody. @errors Unavailable
    Result<std::string> escrow_recipient() const;
    /// Every profiles/NAME.toml by its NAME.
    Result<Profiles> profiles() const;
    /// @errors NotFound  there is no such profile; the message names those there are
    Result<ca::Profile> profile(std::string_view name) const;

  private:
    DataDirectory(Layout layout, Config config)
        : layout_(std::move(layout)), config_(std::move(config)) {}
    Layout layout_;
    Config config_;
};

}  // namespace hatchery::command
