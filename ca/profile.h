// Certificate profiles: what a certificate of a kind may hold. A file a profile (TOML), shipped
// defaults below.
#pragma once

#include "ca/base/error.h"
#include "ca/key.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::ca {

/// An ECMAScript regular expression, compiled once; matching takes a time that is linear in the
/// value. Immutable, cheap to copy, thread-safe.
class Pattern {
  public:
    /// @errors InvalidRequest  no regular expression, or one with back-references
    static Result<Pattern> compile(std::string_view text);
    /// Does all of `value` match?
    bool matches(std::string_view value) const;
    const std::string& text() const;

  private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;
};

/// Stands in a profile's URLs for the base URL of the server's plain HTTP front. Whoever loads the
/// profile replaces it before parsing, if there is such a front.
inline constexpr std::string_view kStatusUrl = "{status_url}";

/// A valid profile; `parse` is the only way to make one from text.
struct Profile {
    std::string name;
    std::vector<KeyKind> keys;        ///< accepted keys of the request
    std::chrono::seconds validity{};  ///< from issue time
    bool no_expiry = false;           ///< notAfter 99991231235959Z (RFC 5280 4.1.2.5)
    std::chrono::seconds backdate{};  ///< notBefore = now - backdate
    bool is_ca = false;
    std::optional<int> path_length;      ///< only with is_ca
    std::vector<std::string> key_usage;  ///< RFC 5280 names: digitalSignature, keyCertSign, …
    std::vector<std::string> extended_key_usage;  ///< clientAuth, serverAuth, OCSPSigning
    std::vector<std::string> policies;  ///< certificate policies (RFC 5280 4.2.1.4), dotted OIDs
    /// URLs of CRL distribution points, of OCSP, of the issuer's certificate. They may hold the
    /// placeholders of expand_url (ca/crl.h); one with kStatusUrl in it is left out.
    std::vector<std::string> crl_urls;
    std::vector<std::string> ocsp_urls;
    std::vector<std::string> ca_issuers_urls;
    bool ocsp_no_check = false;  ///< id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1)
    struct Attribute {
        std::string oid;  ///< dotted
        bool required = false;
        std::optional<std::string> fixed;     ///< the profile's value; the request's is ignored
        std::optional<Pattern> pattern;       ///< the whole value must match
        std::optional<std::string> fallback;  ///< the value when the request has none ("default")
    };
    std::vector<Attribute> subject;  ///< attributes taken over from the request; others are refused
    bool subject_any = false;        ///< take every attribute over as it is
    bool ignore_other_attributes = false;  ///< drop unlisted subject attributes, do not refuse them
    bool ignore_extensions = false;  ///< drop requested extensions and names, do not refuse them
    bool allow_dns_names = false;    ///< subjectAltName kinds that the request may choose
    bool allow_ip_addresses = false;
    bool allow_email_addresses = false;
    bool allow_uris = false;
    bool one_per_device = false;  ///< one subject serialNumber (2.5.4.5) gets one certificate
    bool renewal = false;         ///< a device may ask for its next certificate by its present one
    std::chrono::seconds renew_after_expiry{};  ///< and for so long after that one's notAfter

    /// Parses a profile file; unknown keys and wrong types are refused.
    /// @param source  file name for messages
    /// @errors InvalidRequest  `where` = "source:line:column"
    static Result<Profile> parse(std::string_view toml, std::string_view source);
    /// Everything that is wrong with a profile file, in the order of the text; what is missing
    /// comes last. Empty: parse accepts it. A syntax error ends the search.
    static std::vector<Error> check(std::string_view toml, std::string_view source);
};

/// A shipped profile file: its name ("device", "idevid", "claim", "verification", "server",
/// "station", "sub-ca", "ocsp") and its commented text, as `hatchery init` writes it.
struct ShippedProfile {
    std::string_view name;
    std::string_view toml;
};
std::vector<ShippedProfile> shipped_profiles();

}  // namespace hatchery::ca
