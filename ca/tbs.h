// Private to ca/: tbsCertificate (RFC 5280 4.1), written as DER, byte for byte what OpenSSL builds
// of the same parts (tests/ca/tbs_test.cc).
#pragma once

#include "ca/certificate.h"
#include "ca/profile.h"
#include "ca/request_check.h"
#include "ca/x509_parts.h"

namespace hatchery::ca {

/// 99991231235959Z: "no well-defined expiration date" (RFC 5280 4.1.2.5), and the last time that
/// DER can write.
inline constexpr Time kNoExpiry = std::chrono::sys_days{std::chrono::year{9999} / 12 / 31} +
                                  std::chrono::hours{23} + std::chrono::minutes{59} +
                                  std::chrono::seconds{59};

/// Of already encoded parts; the views must outlive the call.
struct ToBeSigned {
    ByteView serial_number;  ///< magnitude
    ByteView algorithm;      ///< AlgorithmIdentifier
    ByteView issuer;
    Time not_before;
    Time not_after;
    ByteView subject;
    ByteView public_key;  ///< SubjectPublicKeyInfo
    std::vector<ExtensionToWrite> extensions;
};
Bytes encode_tbs(const ToBeSigned& tbs);

/// What `profile` writes into a certificate of this serial number, in a fixed order.
/// @errors InvalidRequest  an IP address that is none
Result<std::vector<ExtensionToWrite>> extensions_of(const AcceptedRequest& accepted,
                                                    const Profile& profile,
                                                    ByteView public_key_der,
                                                    const Certificate& issuer,
                                                    ByteView serial_number);
/// basicConstraints CA:TRUE without a path length, keyCertSign and cRLSign, subjectKeyIdentifier.
std::vector<ExtensionToWrite> root_extensions(ByteView public_key_der);

/// A profile's URLs as this certificate has them: placeholders replaced, the ones left out that
/// need a status URL where none is configured.
std::vector<std::string> certificate_urls(const std::vector<std::string>& patterns,
                                          const Certificate& issuer,
                                          ByteView serial_number);

}  // namespace hatchery::ca
