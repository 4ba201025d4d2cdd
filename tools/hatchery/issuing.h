// Issuing from the command line: the data directory's issuing CA, its store and its ledger, opened
// for one command, whether or not a server runs.
#pragma once

#include "provisioning/flows/issue.h"
#include "tools/hatchery/data_directory.h"

#include <memory>

namespace hatchery::command {

/// An issuing CA with its ledger. Movable; one thread.
class OfflineIssuer {
  public:
    /// @errors Unauthenticated  wrong passphrase; Unavailable  the key or the store cannot be
    /// opened
    static Result<OfflineIssuer> open(const DataDirectory& data, const Secret& passphrase);
    /// The same with the root as the issuer: for CAs.
    static Result<OfflineIssuer> open_root(const DataDirectory& data, const Secret& passphrase);

    /// The certificate that this user got for this key and profile before, if it still counts.
    /// @errors NotFound
    static Result<ca::Certificate> find_earlier(store::Reader& reader,
                                                const ca::Csr& csr,
                                                const ca::Profile& profile);
    /// Leaves a row of the ledger; the refusal itself is what the caller reports.
    void note_refusal(const ca::Csr& csr, const ca::Profile& profile, const Error& error);
    /// flows::issue in the name of this machine's user; a refusal becomes a row of the ledger.
    /// @errors as there
    Result<ca::Certificate> issue(
        const ca::Csr& csr,
        const ca::Profile& profile,
        const std::function<Result<>(store::Tx&, const ca::Certificate&)>& with = {});

    const ca::Issuer& ca() const { return issuer_; }
    store::Store& store() { return *store_; }

  private:
    OfflineIssuer(ca::Issuer issuer, std::unique_ptr<store::Store> store)
        : issuer_(std::move(issuer)), store_(std::move(store)) {}
    ca::Issuer issuer_;
    std::unique_ptr<store::Store> store_;
};

/// A request for `key` whose subject is one commonName.
Result<ca::Csr> request_for(const ca::PrivateKey& key, std::string_view common_name);

}  // namespace hatchery::command
