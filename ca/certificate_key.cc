#include "ca/certificate_key.h"

#include "ca/der.h"
#include "ca/key_quality.h"

namespace hatchery::ca {

namespace {

constexpr int kLeastRsaBits = 2048;

/// RFC 5280 4.1: TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer,
/// validity, subject, subjectPublicKeyInfo, … }
std::optional<ByteView> key_info_of(ByteView certificate_der) {
    const auto certificate = der::only(der::kSequence, certificate_der);
    if (!certificate) return std::nullopt;
    const auto to_be_signed = der::Reader(*certificate).next_if(der::kSequence);
    if (!to_be_signed) return std::nullopt;
    der::Reader members(to_be_signed->content);
    members.next_if(der::context_constructed(0));
    if (!members.next_if(der::kInteger)) return std::nullopt;
    for (int member = 0; member < 4; ++member) {
        if (!members.next_if(der::kSequence)) return std::nullopt;
    }
    const auto info = members.next_if(der::kSequence);
    return info ? std::optional(info->whole) : std::nullopt;
}

}  // namespace

Result<> check_certificate_key(ByteView certificate_der) {
    const auto info = key_info_of(certificate_der);
    if (!info) return fail(Code::InvalidRequest, "expected a certificate in DER");
    auto key = read_public_key(*info);
    if (!key) return std::move(key).error();
    if (key->algorithm == "RSA" && key->bits < kLeastRsaBits) {
        return fail(Code::InvalidRequest,
                    "weak key: expected an RSA modulus of at least 2048 bits, found one of " +
                        std::to_string(key->bits));
    }
    if (key->bits == 0) {
        return fail(Code::InvalidRequest, "weak key: the key cannot be read");
    }
    return check_key_quality(*key);
}

}  // namespace hatchery::ca
