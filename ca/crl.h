// Certificate revocation lists (RFC 5280 section 5), sharded by serial number.
// A certificate names its shard's URL from the day it is issued: it cannot be added later. In: an
// issuing CA, what it revoked. Out: one signed list a shard. Knows no store, no HTTP.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::ca {

/// How many shards a CA's revoked certificates are spread over. Fixed: certificates in the field
/// name their shard, so it can never change.
inline constexpr unsigned kCrlShards = 16;

/// The shard of a certificate, below kCrlShards: the last octet of its serial number, modulo
/// kCrlShards. Serial numbers are random, so shards are alike in size.
unsigned crl_shard(ByteView serial_number);

/// `pattern` with "{ca}" replaced by the issuing CA's subject key identifier in hexadecimal and
/// "{shard}" by the shard of `serial_number`: how a profile's URLs (CRL distribution points, AIA)
/// become a certificate's. Other text stays as it is.
/// A profile file may also hold "{status_url}": what loads profiles replaces it by the configured
/// base URL of the plain HTTP front before parsing.
std::string expand_url(std::string_view pattern, const Certificate& issuer, ByteView serial_number);
/// The same for a shard by number; nothing: `pattern` names the list of all shards.
std::string expand_url(std::string_view pattern,
                       const Certificate& issuer,
                       std::optional<unsigned> shard);

/// RFC 5280 5.3.1; the values are CRLReason's.
enum class RevocationReason {
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    RemoveFromCrl = 8,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10
};
std::string_view to_string(RevocationReason reason);  ///< RFC 5280's spelling, "keyCompromise"
/// RFC 5280's spelling, without regard to case. removeFromCRL is refused: it is for delta lists.
/// @errors InvalidRequest  lists what may stand there
Result<RevocationReason> parse_revocation_reason(std::string_view text);

struct RevokedCertificate {
    Bytes serial_number;  ///< big-endian magnitude
    Time revoked;
    RevocationReason reason = RevocationReason::Unspecified;
};

/// One list to be made.
struct CrlContent {
    std::int64_t number =
        0;  ///< CRL number (5.2.3): above every one the CA has used for this shard
    Time this_update;
    Time next_update;
    /// URLs of issuingDistributionPoint (5.2.5), critical; empty: a full list without one. At least
    /// one must be what the certificates name (6.3.3 b 2).
    std::vector<std::string> distribution_urls;
    std::vector<RevokedCertificate> revoked;
};

/// The signed list, DER (version 2, AKI, CRL number). Thread-safe.
/// @errors InvalidRequest  nextUpdate not after thisUpdate, a key that is not `issuer`'s; those of
/// the key (HSM: Unavailable)
Result<Bytes> make_crl(const Certificate& issuer, const PrivateKey& key, const CrlContent& content);

}  // namespace hatchery::ca
