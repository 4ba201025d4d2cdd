// What the fronts' tests stand on: a data directory of their own with a store, a root, an issuing
// CA under it, the shipped profiles, and keys for the control plane. Nothing is mocked.
#pragma once

#include "ca/seal.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/service.h"
#include "provisioning/registry/access.h"
#include "provisioning/registry/schema.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace hatchery::test {

/// The value, or a failed test that says why.
template <class T>
T must(Result<T> result) {
    if (!result) {
        ADD_FAILURE() << to_string(result.error());
        std::abort();
    }
    return std::move(*result);
}
inline void must(const Result<>& result) {
    ASSERT_TRUE(result) << to_string(result.error());
}

/// A folder that goes with the test.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "hatchery-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }

  private:
    std::filesystem::path path_;
};

/// Runs a shell command to its end.
struct Ran {
    int status = -1;
    std::string output;  // stdout and stderr
};
inline Ran run(const std::string& command) {
    Ran ran;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return ran;
    char buffer[4096];
    while (const std::size_t count = fread(buffer, 1, sizeof buffer, pipe)) {
        ran.output.append(buffer, count);
    }
    const int status = pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

/// A key with the certificate that somebody signed for it.
struct Identity {
    ca::PrivateKey key;
    ca::Certificate certificate;
    std::string chain_pem;
};

class Front {
  public:
    static constexpr const char* kAccessKey = "AKIDEXAMPLE000000000";
    static constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    static constexpr const char* kReadOnlyKey = "AKIDEXAMPLE000000001";

    Front()
        : now(clock_now()),
          store(must(registry::open(folder.path() / "hatchery.db"))),
          ledger(*store),
          profiles(load_profiles()),
          root(make_root()),
          issuer(make_issuer()),
          hooks(must(hooks::HookSet::make({}))),
          wrap(ca::WrapKey::generate()),
          service{*store, issuer, ledger, profiles, hooks, compiled, settings()} {
        add_key(kAccessKey, "admin");
        add_key(kReadOnlyKey, "read-only");
    }

    /// A certificate of `profile` from the issuing CA.
    Identity identity(const std::string& profile, const ca::CsrSubject& subject) {
        auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        const std::string pem = must(ca::make_csr(key, subject));
        auto certificate = must(flows::issue(*store,
                                             ledger,
                                             issuer,
                                             must(ca::Csr::parse(bytes_of(pem))),
                                             profiles.at(profile),
                                             "test",
                                             now));
        std::string chain = issuer.chain_pem(certificate);
        return {std::move(key), std::move(certificate), std::move(chain)};
    }

    Identity server_identity() {
        ca::CsrSubject subject;
        subject.attributes = {{std::string(ca::oid::kCommonName), "localhost"}};
        subject.dns_names = {"localhost"};
        subject.ip_addresses = {"127.0.0.1"};
        return identity("server", subject);
    }

    /// A station's identity, registered for `allowed` profiles.
    Identity station(const std::string& name, std::vector<std::string> allowed) {
        ca::CsrSubject subject;
        subject.attributes = {{std::string(ca::oid::kCommonName), name}};
        Identity made = identity("station", subject);
        must(store->write([&](store::Tx& tx) {
            registry::Station added;
            added.name = name;
            added.certificate = made.certificate.id();
            added.profiles = allowed;
            added.created = now;
            return registry::add_station(tx, added);
        }));
        return made;
    }

    void add_key(const char* id, const char* role) {
        registry::AccessKey key;
        key.id = id;
        key.role = role;
        key.created = now;
        key.wrapped_secret = must(wrap.wrap(bytes_of(kSecret), id));
        must(store->write([&](store::Tx& tx) { return registry::add_access_key(tx, key); }));
    }

    TemporaryFolder folder;
    Time now;
    std::unique_ptr<store::Store> store;
    registry::StoreLedger ledger;
    std::map<std::string, ca::Profile, std::less<>> profiles;
    ca::Issuer root;
    ca::Issuer issuer;
    hooks::HookSet hooks;
    flows::CompiledCache compiled;
    ca::WrapKey wrap;
    flows::Service service;

  private:
    static std::map<std::string, ca::Profile, std::less<>> load_profiles() {
        std::map<std::string, ca::Profile, std::less<>> loaded;
        for (const auto& shipped : ca::shipped_profiles()) {
            loaded.emplace(shipped.name, must(ca::Profile::parse(shipped.toml, shipped.name)));
        }
        return loaded;
    }

    static flows::Settings settings() {
        flows::Settings wanted;
        wanted.device_key = ca::KeyKind::P256;
        wanted.endpoint_host = "mqtt.example.com";
        return wanted;
    }

    ca::Issuer make_root() const {
        auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        auto certificate =
            must(ca::make_root(key, "Test Root", std::chrono::hours(24 * 3650), now));
        return must(ca::Issuer::make(std::move(certificate), std::move(key), {}));
    }

    ca::Issuer make_issuer() {
        auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        ca::CsrSubject subject;
        subject.attributes = {{std::string(ca::oid::kCommonName), "Test Issuing CA"}};
        const std::string pem = must(ca::make_csr(key, subject));
        auto certificate = must(flows::issue(*store,
                                             ledger,
                                             root,
                                             must(ca::Csr::parse(bytes_of(pem))),
                                             profiles.at("sub-ca"),
                                             "test",
                                             now));
        return must(ca::Issuer::make(std::move(certificate), std::move(key), {root.certificate()}));
    }
};

}  // namespace hatchery::test
