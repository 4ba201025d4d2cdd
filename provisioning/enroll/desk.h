// Who stands at the counter, and what they may get: stations get certificates for devices, devices
// get their next one. What JSON, the plain form and EST share.
#pragma once

#include "provisioning/enroll/throttle.h"
#include "provisioning/enroll/turns.h"
#include "provisioning/flows/issue_line.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"
#include "provisioning/registry/access.h"

#include <map>
#include <memory>
#include <mutex>

namespace hatchery::enroll {

/// A known client certificate.
struct Caller {
    std::string name;                                  ///< "line-1", or the certificate's id
    std::shared_ptr<const registry::Station> station;  ///< null: a device
    ca::Certificate certificate;
};

/// What somebody gets.
struct Issued {
    ca::Certificate certificate;
    bool is_new = true;  ///< no: an equal request got it before
};

class Desk {
  public:
    /// `service` must outlive the desk.
    explicit Desk(flows::Service& service);

    /// @errors Unauthenticated  no certificate; Forbidden  neither a station nor a device of ours,
    /// or a station that is stopped, revoked or outside its validity
    Result<Caller> identify(const std::optional<ca::Certificate>& certificate, Time now);
    /// What a station may sign with. @errors Forbidden; NotFound
    Result<const ca::Profile*> profile_for(const Caller& caller, const std::string& name) const;
    /// A certificate for a station's `csr`; the same again for the same request, over restarts too.
    /// A refusal becomes a row of the ledger.
    /// @errors Throttled  the station asks for this device again and again; those of flows::issue
    Result<Issued> issue(const Caller& station,
                         const ca::Profile& profile,
                         const ca::Csr& csr,
                         Time now);
    /// A device's next certificate; the same again for the same request.
    /// @errors Throttled; those of flows::renew
    Result<Issued> renew(const Caller& device, const ca::Csr& csr, Time now);

    /// What follows the leaf in every answer: the CAs above it, without the root.
    const std::string& chain_pem() const { return chain_pem_; }
    flows::Service& service() { return service_; }

  private:
    const ca::Issuer* signer_of(const ca::Certificate& certificate);
    std::shared_ptr<const registry::Station> remembered_station(const CertificateId& id,
                                                                std::uint64_t generation);
    Result<std::shared_ptr<const registry::Station>> find_station(
        const ca::Certificate& certificate, const ca::Issuer* signer);
    Result<ca::Certificate> issue_first(const ca::Csr& csr,
                                        const ca::Profile& profile,
                                        std::string_view requester,
                                        Time now);
    Result<Issued> issue_once(const Caller& station,
                              const ca::Profile& profile,
                              const ca::Csr& csr,
                              Time now);
    Result<Issued> earlier(const Caller& station,
                           const ca::Profile& profile,
                           const ca::Csr& csr,
                           Time now);
    void note_refusal(const Caller& caller,
                      std::string_view profile,
                      const ca::Csr& csr,
                      const Error& error,
                      Time now);

    flows::Service& service_;
    registry::StoreLedger first_time_;  ///< refuses what was issued before
    flows::IssueLine line_;
    const std::string chain_pem_;
    Turns turns_;
    Throttle throttle_;
    std::mutex mutex_;  // guards what is below
    struct Known {
        const ca::Issuer* signer;
        std::shared_ptr<const registry::Station> station;  ///< null: to be read
        std::uint64_t generation = 0;                      ///< of the store, when it was read
    };
    std::map<CertificateId, Known> known_;
    Time minute_{};
    int refusals_ = 0;  // rows written in this minute
};

}  // namespace hatchery::enroll
