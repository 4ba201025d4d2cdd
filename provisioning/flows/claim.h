// Fleet provisioning by claim (AWS IoT "Device provisioning MQTT API"): create keys or take a CSR,
// then register.
#pragma once

#include "provisioning/flows/service.h"

#include <map>
#include <optional>
#include <string>

namespace hatchery::flows {

/// Who asks: the connection's certificate and MQTT client id.
struct Claimant {
    CertificateId certificate;
    std::string client_id;
};

struct NewCertificate {
    CertificateId id;
    std::string certificate_pem;        ///< leaf only, as AWS sends it
    std::optional<Secret> private_key;  ///< CreateKeysAndCertificate: PEM, never stored
    std::string ownership_token;
    bool is_successor = false;  ///< takes the place of the asker's own (rotation.h)
};

/// Issues through prepare -> ledger -> sign -> store; the certificate is PENDING_ACTIVATION until
/// registered.
Result<NewCertificate> create_keys_and_certificate(Service&, const Claimant&, Time now);
/// A device that has a rotation job gets the next certificate of its own (rotation.h), anybody else
/// one that waits for RegisterThing.
/// @errors InvalidRequest  `where` starts with "CSR": the request is unreadable or its key is
/// refused; those of find_rotation and rotate_certificate
Result<NewCertificate> create_certificate_from_csr(Service&,
                                                   const Claimant&,
                                                   std::string_view csr_pem,
                                                   Time now);

struct RegisterThingRequest {
    std::string template_name;
    std::string ownership_token;
    std::map<std::string, std::string> parameters;
};
struct RegisteredThing {
    std::optional<std::string> thing_name;
    std::map<std::string, std::string> device_configuration;
};
/// template (enabled, FLEET_PROVISIONING) -> token -> hook -> overrides -> plan -> one write that
/// also spends the token.
/// @errors NotFound  template; InvalidRequest  where = "certificateOwnershipToken" or a template's
/// pointer
/// @errors Forbidden  the hook refused, failed or timed out; message says which for the log, never
/// for the wire
Result<RegisteredThing> register_thing(Service&,
                                       const Claimant&,
                                       const RegisterThingRequest&,
                                       Time now);

}  // namespace hatchery::flows
