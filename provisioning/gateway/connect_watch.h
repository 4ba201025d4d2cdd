// Connections that should not be at once: one certificate under several client ids, one client id
// from several connections. Audits read them (provisioning/audit); connects that are as they should
// be leave nothing. This box's own.
#pragma once

#include "provisioning/registry/audits.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace hatchery::gateway {

/// Thread-safe. Memory: an entry a certificate and a client id that is connected, and at most
/// 10,000 conflicts between two calls of `take`.
class ConnectWatch {
  public:
    using Conflict = registry::ConnectConflict;

    /// A device is let in. An older connection with its client id, if there is one, is about to
    /// end.
    void opened(const CertificateId& certificate, const std::string& client_id);
    /// The end of what was `opened`.
    void closed(const CertificateId& certificate, const std::string& client_id);
    /// What was seen since the last call, once a kind, certificate and client id, for one write:
    /// those who fight for a name by the second must not cost a commit each time.
    std::vector<Conflict> take(Time now);

  private:
    /// The connections of a certificate.
    struct Holder {
        std::string client_id;  ///< the first one's; empty once it has gone before the others
        std::uint32_t open = 0;
        std::uint32_t others = 0;  ///< open ones with another client id
        std::uint32_t named = 0;   ///< how many conflicts told of it
    };
    struct Client {
        CertificateId certificate;  ///< the newest connection's
        std::uint32_t open = 0;
    };
    void open_holder(const CertificateId& certificate, const std::string& client_id);
    void note(Conflict::Kind kind,
              const CertificateId& certificate,
              const std::string& client_id,
              std::int64_t count);

    std::mutex mutex_;  // guards what follows
    std::unordered_map<CertificateId, Holder> holders_;
    std::unordered_map<std::string, Client> clients_;
    std::map<std::tuple<Conflict::Kind, CertificateId, std::string>, std::int64_t> seen_;
};

}  // namespace hatchery::gateway
