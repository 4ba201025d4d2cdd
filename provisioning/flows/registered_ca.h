// Which registered CA signed a device certificate: by issuer name, then by signature.
#pragma once

#include "provisioning/flows/service.h"

#include <vector>

namespace hatchery::flows {

struct RegisteredCa {
    registry::CaCertificate record;
    ca::Certificate certificate;
};

/// Every registered CA whose subject is the issuer of `leaf` and whose key signed it; several when
/// a CA's certificate was renewed with the same key. The authority key identifier is a hint only: a
/// version 1 leaf has none.
/// @errors Unauthenticated  no registered CA has that subject, or none of those signed `leaf`
Result<std::vector<RegisteredCa>> signing_cas(Service& service, const ca::Certificate& leaf);

enum class Purpose { AutoRegistration, ApiRegistration };

/// May `ca` register `leaf` at `now`? It must be inside its validity, ACTIVE, with auto
/// registration on if that is the purpose; and `leaf` itself valid and of an accepted algorithm.
/// @errors Forbidden  CA INACTIVE, auto registration off; CertificateInvalid  CA or leaf expired,
/// weak
Result<> check_usable(const RegisteredCa& ca,
                      const ca::Certificate& leaf,
                      Purpose purpose,
                      Time now);
/// The first of signing_cas that check_usable accepts; else what is wrong with the first one.
Result<RegisteredCa> usable_ca(Service& service,
                               const ca::Certificate& leaf,
                               Purpose purpose,
                               Time now);
/// The same among `named`, the registered CAs whose subject is the issuer of `leaf`.
Result<RegisteredCa> usable_ca_of(Service& service,
                                  const std::vector<registry::CaCertificate>& named,
                                  const ca::Certificate& leaf,
                                  Purpose purpose,
                                  Time now);

/// notBefore <= now <= notAfter. @param what  "certificate", or which CA, for the message
/// @errors CertificateInvalid  "WHAT expired on DATE", "WHAT is not valid before DATE"
Result<> check_dates(const ca::Certificate& certificate, std::string_view what, Time now);

}  // namespace hatchery::flows
