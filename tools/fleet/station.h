// A device's key and CSR, and the factory station that has the CSR signed over HTTPS.
#pragma once

#include "tools/fleet/tls_connection.h"

namespace hatchery::fleet {

/// A PEM CSR for `key`, signed with it. `serial_number` goes into the subject where it says so.
/// @errors Internal  OpenSSL failed
Result<std::string> make_csr(const ca::PrivateKey& key,
                             const Subject& subject,
                             const std::string& serial_number);

/// The same with the subject of `present`, whose place it is to take.
Result<std::string> make_next_csr(const ca::PrivateKey& key, const ca::Certificate& present);

/// A connection to the factory endpoint that is kept alive. One thread at a time.
class Station {
  public:
    Station(const Server& server, const Identity& identity, std::chrono::seconds timeout);
    ~Station();
    Station(const Station&) = delete;
    Station& operator=(const Station&) = delete;

    /// The certificate and its chain, PEM.
    /// @errors Forbidden  the server refused (`where` = "HTTP 403"); Throttled  429 or 503;
    /// Unavailable  no answer
    Result<std::string> sign(const std::string& csr_pem);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hatchery::fleet
