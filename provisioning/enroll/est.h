// EST (RFC 7030) over the factory line's HTTPS: /.well-known/est/[PROFILE/]OPERATION.
// cacerts and csrattrs for anybody; simpleenroll and serverkeygen for stations; simplereenroll for
// devices with their present certificate. From bytes to bytes, without sockets.
#pragma once

#include "provisioning/enroll/desk.h"

namespace hatchery::enroll {

inline constexpr std::string_view kDefaultProfile = "device";

/// Is it a path of EST's?
bool is_est(std::string_view target);

struct EstPath {
    std::string profile;  ///< the label, or the default profile
    std::string operation;
};
/// @errors NotFound  no label of our form, no operation of RFC 7030
Result<EstPath> parse_est_path(std::string_view target);
/// The CSR of a body: base64 of DER (RFC 7030 4.2.1), PEM and DER too. @errors InvalidRequest
Result<ca::Csr> parse_est_body(std::string_view body);

struct EstAnswer {
    Result<http::Response> response;
    std::string caller = "-", profile = "-", certificate = "-";  ///< for the log
};

class Est {
  public:
    explicit Est(Desk& desk) : desk_(desk) {}
    EstAnswer answer(const http::Request& request, Time now);

  private:
    http::Response cacerts() const;
    Result<http::Response> csrattrs(const EstPath& path) const;
    Result<http::Response> enroll(const EstPath& path,
                                  const http::Request& request,
                                  Time now,
                                  EstAnswer& log);
    Result<http::Response> serverkeygen(const Caller& station,
                                        const ca::Profile& profile,
                                        const ca::Csr& csr,
                                        Time now,
                                        EstAnswer& log);
    Desk& desk_;
};

}  // namespace hatchery::enroll
