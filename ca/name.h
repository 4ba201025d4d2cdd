// Distinguished names (X.501, RFC 5280 4.1.2.4) as plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::ca {

/// One attribute of a distinguished name, in the order of the encoding.
struct NameAttribute {
    std::string oid;    ///< dotted, "2.5.4.3"
    std::string value;  ///< UTF-8, whatever string type it was encoded in
    std::size_t rdn =
        0;             ///< index of its relative distinguished name; equal for a multi-valued RDN
    bool text = true;  ///< false: no string type; `value` is "#" and the hexadecimal DER (RFC 4514
                       ///< 2.4)
};

struct Name {
    std::vector<NameAttribute> attributes;

    /// The first value of `oid` in the order of the encoding, or nothing.
    std::optional<std::string_view> first(std::string_view oid) const;
    /// RFC 4514: last RDN first, special characters escaped.
    std::string to_string() const;
};

namespace oid {
inline constexpr std::string_view kCommonName = "2.5.4.3";
inline constexpr std::string_view kSurname = "2.5.4.4";
inline constexpr std::string_view kSerialNumber = "2.5.4.5";
inline constexpr std::string_view kCountry = "2.5.4.6";
inline constexpr std::string_view kLocality = "2.5.4.7";
inline constexpr std::string_view kState = "2.5.4.8";
inline constexpr std::string_view kStreet = "2.5.4.9";
inline constexpr std::string_view kOrganization = "2.5.4.10";
inline constexpr std::string_view kOrganizationalUnit = "2.5.4.11";
inline constexpr std::string_view kTitle = "2.5.4.12";
inline constexpr std::string_view kGivenName = "2.5.4.42";
inline constexpr std::string_view kInitials = "2.5.4.43";
inline constexpr std::string_view kGenerationQualifier = "2.5.4.44";
inline constexpr std::string_view kDnQualifier = "2.5.4.46";
inline constexpr std::string_view kPseudonym = "2.5.4.65";
inline constexpr std::string_view kEmailAddress = "1.2.840.113549.1.9.1";
inline constexpr std::string_view kDomainComponent = "0.9.2342.19200300.100.1.25";
inline constexpr std::string_view kUserId = "0.9.2342.19200300.100.1.1";
}  // namespace oid

/// The short name of a known attribute type ("CN", "serialNumber", …), otherwise `oid` itself.
/// The result lives as long as `oid` does.
std::string_view attribute_name(std::string_view oid);
/// The dotted form for a short name that attribute_name gives, spelled exactly so.
std::optional<std::string_view> attribute_oid(std::string_view name);

}  // namespace hatchery::ca
