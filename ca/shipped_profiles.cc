#include "ca/profile.h"

namespace hatchery::ca {

namespace {

constexpr std::string_view kDevice =
    R"(# Certificates of devices: made on the factory line, used for years.
name = "device"

# Keys that a request may bring. Of: rsa2048, rsa3072, rsa4096, p256, p384, ed25519.
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]

# From issue time; s, m, h, d, y (365 d), or "unlimited" (99991231235959Z, RFC 5280 4.1.2.5).
# Never beyond the issuing CA's own end, unless it is unlimited.
validity = "10y"
# notBefore lies so long before issue time, for devices whose clock is behind.
backdate = "1h"

# RFC 5280 4.2.1.3 and 4.2.1.12. A request may ask for less, never for more.
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]

# Kinds of subjectAltName that a request may choose. Of: dns, ip, email, uri.
subject_alt_names = []

# true: extensions and names that a request asks for are dropped, where they are refused otherwise.
ignore_extensions = false

# true: one subject serialNumber gets one certificate, once and for all.
one_per_device = false

# Subject attributes that a request may have; any other is refused. Each may say
#   required = true    the request must have it
#   fixed = "text"     always this value, whatever the request says
#   default = "text"   this value if the request has none
#   pattern = "regex"  the whole value must match (ECMAScript)
# "any = true" takes every attribute, "ignore_others = true" drops the ones not listed here.
# Names as in CN, or a dotted OID in quotes.
[subject]
CN = {}
serialNumber = {}
O = {}
OU = {}
C = {}
ST = {}
L = {}
dnQualifier = {}
)";

constexpr std::string_view kClaim =
    R"(# Claim certificates made on the factory line: shared by a batch of devices, which get their own
# with it. What a claim certificate may do is its policy's matter.
name = "claim"
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
validity = "2y"
backdate = "1h"
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]

# As in device.toml. A request without a name gets one.
[subject]
CN = { default = "Hatchery Claim" }
serialNumber = {}
O = {}
OU = {}
C = {}
ST = {}
L = {}
dnQualifier = {}
)";

constexpr std::string_view kVerification =
    R"(# Verification certificates: proof that one holds the key of a CA that one registers. The common name
# is the registration code.
name = "verification"
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
validity = "30d"
backdate = "1h"
key_usage = ["digitalSignature"]

[subject]
CN = { required = true, pattern = "[0-9a-f]{64}" }
)";

constexpr std::string_view kServer =
    R"(# Certificates of servers: this one's own fronts, a broker, a proxy. Clients look at the names in
# subjectAltName only (RFC 9525).
name = "server"
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
validity = "825d"
backdate = "1h"
# keyEncipherment is written for RSA keys only: TLS 1.2 clients with RSA key exchange need it.
key_usage = ["digitalSignature", "keyEncipherment"]
extended_key_usage = ["serverAuth"]
subject_alt_names = ["dns", "ip"]

[subject]
CN = {}
O = {}
OU = {}
)";

constexpr std::string_view kStation =
    R"(# Certificates of factory stations, which ask for device certificates over HTTPS.
name = "station"
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
validity = "1y"
backdate = "1h"
key_usage = ["digitalSignature"]
extended_key_usage = ["clientAuth"]

# The common name is the station's name: in the ledger, in the log, in its quota.
[subject]
CN = { required = true, pattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}" }
O = {}
OU = {}
)";

constexpr std::string_view kSubCa =
    R"(# Issuing CAs below the root. They issue to devices, not to further CAs.
name = "sub-ca"
keys = ["rsa2048", "rsa3072", "rsa4096", "p256", "p384", "ed25519"]
validity = "20y"
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

}  // namespace

std::vector<ShippedProfile> shipped_profiles() {
    return {{"device", kDevice},
            {"claim", kClaim},
            {"verification", kVerification},
            {"server", kServer},
            {"station", kStation},
            {"sub-ca", kSubCa}};
}

}  // namespace hatchery::ca
