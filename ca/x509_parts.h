// Private to ca/: what certificates and requests share (RFC 5280): names, subjectAltName, key
// usages.
#pragma once

#include "ca/der.h"
#include "ca/name.h"
#include "ca/openssl.h"

#include <array>
#include <string>
#include <vector>

namespace hatchery::ca {

namespace extension {
inline constexpr std::string_view kSubjectKeyIdentifier = "2.5.29.14";
inline constexpr std::string_view kKeyUsage = "2.5.29.15";
inline constexpr std::string_view kSubjectAltName = "2.5.29.17";
inline constexpr std::string_view kBasicConstraints = "2.5.29.19";
inline constexpr std::string_view kCrlDistributionPoints = "2.5.29.31";
inline constexpr std::string_view kCertificatePolicies = "2.5.29.32";
inline constexpr std::string_view kAuthorityKeyIdentifier = "2.5.29.35";
inline constexpr std::string_view kExtendedKeyUsage = "2.5.29.37";
inline constexpr std::string_view kAuthorityInfoAccess = "1.3.6.1.5.5.7.1.1";
inline constexpr std::string_view kOcspNoCheck = "1.3.6.1.5.5.7.48.1.5";
}  // namespace extension

/// The bits of KeyUsage by RFC 5280 4.2.1.3, index = bit number.
inline constexpr std::array<std::string_view, 9> kKeyUsageNames{"digitalSignature",
                                                                "nonRepudiation",
                                                                "keyEncipherment",
                                                                "dataEncipherment",
                                                                "keyAgreement",
                                                                "keyCertSign",
                                                                "cRLSign",
                                                                "encipherOnly",
                                                                "decipherOnly"};

struct ExtendedKeyUsageName {
    std::string_view name;
    std::string_view oid;
};
inline constexpr std::array<ExtendedKeyUsageName, 3> kExtendedKeyUsages{
    {{"serverAuth", "1.3.6.1.5.5.7.3.1"},
     {"clientAuth", "1.3.6.1.5.5.7.3.2"},
     {"OCSPSigning", "1.3.6.1.5.5.7.3.9"}}};

/// Every attribute in the order of the encoding; a value that is no string becomes "#" and hex.
Name read_name(const X509_NAME* name);
Bytes name_der(X509_NAME* name);
/// The same for a Name's DER, by our own reader. @errors InvalidRequest  not a Name in DER
Result<Name> read_name(ByteView der);
/// DER of a Name built from text: PrintableString or IA5String where the attribute's type asks for
/// it, else UTF8String. Attributes with the same `rdn` next to one another make one RDN.
/// @errors InvalidRequest  an attribute type that is no object identifier
Result<Bytes> encode_name(const Name& name);

struct AltNames {
    std::vector<std::string> dns, ips, emails, uris;
    bool other = false;  ///< a kind that has no list here: directoryName, otherName, …
};
/// @param value  content of the extension's OCTET STRING. @errors InvalidRequest  malformed
Result<AltNames> read_alt_names(ByteView value);
/// The extension's value for these names; IP addresses are in text form. Empty without a name.
/// @errors InvalidRequest  not an IP address
Result<Bytes> encode_alt_names(const AltNames& names);

struct BasicConstraints {
    bool is_ca = false;
    std::optional<int> path_length;
};
Result<BasicConstraints> read_basic_constraints(ByteView value);
Result<std::vector<std::string>> read_key_usage(ByteView value);
/// Names of kExtendedKeyUsages, dotted OIDs for others.
Result<std::vector<std::string>> read_extended_key_usage(ByteView value);

/// Key identifier of a SubjectPublicKeyInfo: SHA-1 of the key's bits (RFC 5280 4.2.1.2 method 1).
Bytes key_identifier(ByteView public_key_der);

/// Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }.
struct ExtensionToWrite {
    std::string_view oid;
    bool critical = false;
    Bytes value;
};
/// An Extension as it was read; `value` views into the bytes that were read.
struct ReadExtension {
    std::string oid;
    bool critical = false;
    ByteView value;  ///< the OCTET STRING's content
};
/// The next one of a SEQUENCE OF Extension. An explicit critical FALSE, which DER forbids and tools
/// write, is read. @errors InvalidRequest  malformed
Result<ReadExtension> read_extension(der::Reader& reader);

Bytes encode_extensions(const std::vector<ExtensionToWrite>& extensions);

}  // namespace hatchery::ca
