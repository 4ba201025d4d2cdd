// Who stands at the counter, and what they may get: stations get certificates for devices, devices
// get their next one. What JSON, the plain form and EST share.
#pragma once

#include "provisioning/enroll/recent.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"
#include "provisioning/registry/access.h"

#include <mutex>

namespace hatchery::enroll {

/// A known client certificate.
struct Caller {
    std::string name;                          ///< "line-1", or the device certificate's id
    std::optional<registry::Station> station;  ///< nothing: a device
    ca::Certificate certificate;
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
    /// A certificate for a station's `csr`; the same again for the same request. A refusal becomes
    /// a row of the ledger.
    Result<RecentCertificates::Outcome> issue(const Caller& station,
                                              const ca::Profile& profile,
                                              const ca::Csr& csr,
                                              Time now);
    /// A device's next certificate; the same again for the same request.
    Result<RecentCertificates::Outcome> renew(const Caller& device, const ca::Csr& csr, Time now);

    flows::Service& service() { return service_; }

  private:
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
    RecentCertificates recent_;
    std::mutex mutex_;  // guards what is below
    Time minute_{};
    int refusals_ = 0;  // rows written in this minute
};

}  // namespace hatchery::enroll
