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

    /// flows::issue in the name of this machine's user. @errors as there
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
