// What the tests of this box share: golden data, a CA in memory, the openssl command as the other
// implementation.
#pragma once

#include "ca/issuer.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hatchery::ca::testing {

/// 2030-01-01T00:00:00Z: inside the validity of everything below tests/data/ca.
inline constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2030} / 1 / 1};

/// The content of tests/data/ca/`name`; aborts if there is no such file.
std::string data(const std::string& name);
Secret secret(std::string text);
Profile shipped(std::string_view name);
/// The same of a server whose status front is http://status.example.com.
Profile with_status(std::string_view name);
Csr csr_of(const PrivateKey& key, const CsrSubject& subject);

/// A ledger in memory; keeps what was recorded and completed.
class MemoryLedger : public Ledger {
  public:
    Result<> complete(const Certificate& certificate, Time now) override;
    std::vector<Bytes> recorded;   ///< the to-be-signed bytes
    std::vector<Bytes> completed;  ///< the certificates' DER
    bool broken = false;           ///< the next append fails

  protected:
    Result<> append(const Prepared& prepared, std::string_view requester, Time now) override;
};

/// A root and an issuing CA below it, made at kNow.
struct TestCa {
    explicit TestCa(KeyKind kind = KeyKind::P256);
    Result<Certificate> issue(const Csr& csr, const Profile& profile, Time now = kNow);
    PrivateKey root_key;
    Certificate root;
    Issuer root_issuer;
    MemoryLedger ledger;
    Issuer issuer;

  private:
    Issuer make_issuing(KeyKind kind);
};

/// A folder that goes with the test.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    std::string write(const std::string& name, std::string_view content) const;
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string read(const std::string& name) const;

  private:
    std::filesystem::path folder_;
};

struct Ran {
    int exit_code = -1;
    std::string output;  ///< stdout and stderr
};
/// Runs a shell command line.
Ran run(const std::string& command);

}  // namespace hatchery::ca::testing
