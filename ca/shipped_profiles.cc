#include "ca/profile.h"

#include <array>
#include <string>

namespace hatchery::ca {

namespace {

constexpr std::string_view kAnyKey =
    R"(keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
)";

/// What devices and their claim certificates may be called, beside the common name.
constexpr std::string_view kDeviceNames = R"(serialNumber = {}
O = {}
OU = {}
C = {}
ST = {}
L = {}
dnQualifier = {}
)";

constexpr std::string_view kStatusUrls =
    R"(crl_urls = ["{status_url}/crl/{ca}/{shard}.crl"]
ocsp_urls = ["{status_url}/ocsp"]
ca_issuers_urls = ["{status_url}/ca/{ca}.crt"]
)";

constexpr std::string_view kDeviceKeys =
    R"(# Certificates of devices: made on the factory line, used for years.
name = "device"

# Keys that a request may bring. Of: rsa2048, rsa3072, rsa4096, p256, p384, ed25519.
)";
constexpr std::string_view kDeviceUsage = R"(
# From issue time; s, m, h, d, y (365 d), or "unlimited" (99991231235959Z, RFC 5280 4.1.2.5).
# Never beyond the issuing CA's own end, unless it is unlimited.
validity = "10y"
# notBefore lies so long before issue time, for devices whose clock is behind.
backdate = "1h"

# RFC 5280 4.2.1.3 and 4.2.1.12. A request may ask for less, never for more.
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]

# Where to ask whether the certificate is revoked, and for its issuer's certificate. They stand in
# the certificate for good: choose them before the first device. {status_url} is the base URL of the
# server's status front (hatchery.toml); a URL with it is left out where there is none. {ca} is the
# issuer's key identifier, {shard} the part of the revocation list that this serial number is in.
)";
constexpr std::string_view kDeviceRest = R"(
# Certificate policies (RFC 5280 4.2.1.4), dotted OIDs.
policies = []

# Kinds of subjectAltName that a request may choose. Of: dns, ip, email, uri.
subject_alt_names = []

# true: extensions and names that a request asks for are dropped, where they are refused otherwise.
ignore_extensions = false

# true: one subject serialNumber gets one certificate, once and for all.
one_per_device = false

# true: a device gets its next certificate by showing its present one (EST simplereenroll, POST
# /v1/certificates). Not for certificates that several devices share: the one that is renewed is
# revoked once the next one connects.
renewal = true
# And for so long after the present one has ended: devices come back from a year in a drawer.
# renew_after_expiry = "365d"

# Subject attributes that a request may have; any other is refused. Each may say
#   required = true    the request must have it
#   fixed = "text"     always this value, whatever the request says
#   default = "text"   this value if the request has none
#   pattern = "regex"  the whole value must match (ECMAScript, without back-references)
# "any = true" takes every attribute, "ignore_others = true" drops the ones not listed here.
# Names as in CN, or a dotted OID in quotes.
[subject]
CN = {}
)";

constexpr std::string_view kIdevidKeys =
    R"(# Initial device identifiers (IEEE 802.1AR): one for the life of the device, made when it is made. It
# has no well-defined end, so the issuing CA's own end does not cut it.
name = "idevid"
)";
constexpr std::string_view kIdevidUsage = R"(validity = "unlimited"
# 802.1AR: from the day it is made, so no backdating. No extended key usage either: the device may
# use it for TLS in both roles, for EAP, and to sign requests for local identifiers.
backdate = "0s"
key_usage = ["digitalSignature"]
)";
constexpr std::string_view kIdevidRest = R"(# A second one for the same device would be a clone.
one_per_device = true

# The serial number is the device's own, unique within the maker's range. Narrow the pattern to yours.
[subject]
serialNumber = { required = true, pattern = "[A-Za-z0-9][A-Za-z0-9 ./:_-]{0,63}" }
CN = {}
O = {}
OU = {}
C = {}
)";

constexpr std::string_view kClaimKeys =
    R"(# Claim certificates made on the factory line: shared by a batch of devices, which get their own
# with it. What a claim certificate may do is its policy's matter.
name = "claim"
)";
constexpr std::string_view kClaimUsage = R"(validity = "2y"
backdate = "1h"
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]
)";
constexpr std::string_view kClaimRest = R"(
# As in device.toml. A request without a name gets one.
[subject]
CN = { default = "Hatchery Claim" }
)";

constexpr std::string_view kVerificationKeys =
    R"(# Verification certificates: proof that one holds the key of a CA that one registers. The common name
# is the registration code.
name = "verification"
)";
constexpr std::string_view kVerificationRest = R"(validity = "30d"
backdate = "1h"
key_usage = ["digitalSignature"]

[subject]
CN = { required = true, pattern = "[0-9a-f]{64}" }
)";

constexpr std::string_view kServerKeys =
    R"(# Certificates of servers: this one's own fronts, a broker, a proxy. Clients look at the names in
# subjectAltName only (RFC 9525).
name = "server"
)";
constexpr std::string_view kServerUsage = R"(validity = "825d"
backdate = "1h"
# keyEncipherment is written for RSA keys only: TLS 1.2 clients with RSA key exchange need it.
key_usage = ["digitalSignature", "keyEncipherment"]
extended_key_usage = ["serverAuth"]
subject_alt_names = ["dns", "ip"]
)";
constexpr std::string_view kServerRest = R"(
[subject]
CN = {}
O = {}
OU = {}
)";

constexpr std::string_view kStationKeys =
    R"(# Certificates of factory stations, which ask for device certificates over HTTPS.
name = "station"
)";
constexpr std::string_view kStationRest = R"(validity = "1y"
backdate = "1h"
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]

# The common name is the station's name: in the ledger, in the log, in its quota.
[subject]
CN = { required = true, pattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}" }
O = {}
OU = {}
)";

constexpr std::string_view kSubCaKeys =
    R"(# Issuing CAs below the root. They issue to devices, not to further CAs. An offline root publishes its
# list by hand, if at all: crl_urls = ["http://…"] once it has a place.
name = "sub-ca"
)";
constexpr std::string_view kSubCaRest = R"(validity = "20y"
backdate = "1h"
ca = true
path_length = 0
key_usage = ["keyCertSign", "cRLSign"]

[subject]
CN = { required = true }
O = {}
OU = {}
C = {}
)";

constexpr std::string_view kOcspKeys =
    R"(# Certificates of OCSP responders that answer in the CA's name (RFC 6960 4.2.2.2). Nobody asks whether
# they are revoked (nocheck), so they live for a short time and are made again.
name = "ocsp"
)";
constexpr std::string_view kOcspRest = R"(validity = "30d"
backdate = "1h"
key_usage = ["digitalSignature"]
extended_key_usage = ["OCSPSigning"]
ocsp_no_check = true

[subject]
CN = { required = true }
O = {}
)";

std::string join(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const auto part : parts)
        text += part;
    return text;
}

}  // namespace

std::vector<ShippedProfile> shipped_profiles() {
    static const std::array<std::string, 8> texts{
        join({kDeviceKeys, kAnyKey, kDeviceUsage, kStatusUrls, kDeviceRest, kDeviceNames}),
        join({kIdevidKeys, kAnyKey, kIdevidUsage, kStatusUrls, kIdevidRest}),
        join({kClaimKeys, kAnyKey, kClaimUsage, kStatusUrls, kClaimRest, kDeviceNames}),
        join({kVerificationKeys, kAnyKey, kVerificationRest}),
        join({kServerKeys, kAnyKey, kServerUsage, kStatusUrls, kServerRest}),
        join({kStationKeys, kAnyKey, kStationRest}),
        join({kSubCaKeys, kAnyKey, kSubCaRest}),
        join({kOcspKeys, kAnyKey, kOcspRest})};
    return {{"device", texts[0]},
            {"idevid", texts[1]},
            {"claim", texts[2]},
            {"verification", texts[3]},
            {"server", texts[4]},
            {"station", texts[5]},
            {"sub-ca", texts[6]},
            {"ocsp", texts[7]}};
}

}  // namespace hatchery::ca
