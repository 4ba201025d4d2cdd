// The parameters that a device certificate gives to a template.
#pragma once

#include <array>
#include <string_view>

namespace hatchery::templates {

inline constexpr std::string_view kCertificatePrefix = "AWS::IoT::Certificate::";
inline constexpr std::string_view kCertificateIdParameter = "AWS::IoT::Certificate::Id";
inline constexpr std::string_view kSerialNumberParameter = "AWS::IoT::Certificate::SerialNumber";

/// Each with its subject attribute (X.520); SerialNumber and Id have further sources.
struct CertificateParameter {
    std::string_view name;
    std::string_view oid;
};
inline constexpr std::string_view kSerialNumberOid = "2.5.4.5";
inline constexpr auto kSubjectParameters = std::to_array<CertificateParameter>({
    {"AWS::IoT::Certificate::Country", "2.5.4.6"},
    {"AWS::IoT::Certificate::Organization", "2.5.4.10"},
    {"AWS::IoT::Certificate::OrganizationalUnit", "2.5.4.11"},
    {"AWS::IoT::Certificate::DistinguishedNameQualifier", "2.5.4.46"},
    {"AWS::IoT::Certificate::StateName", "2.5.4.8"},
    {"AWS::IoT::Certificate::CommonName", "2.5.4.3"},
});
inline constexpr auto kCertificateParameters = std::to_array<std::string_view>({
    "AWS::IoT::Certificate::Country",
    "AWS::IoT::Certificate::Organization",
    "AWS::IoT::Certificate::OrganizationalUnit",
    "AWS::IoT::Certificate::DistinguishedNameQualifier",
    "AWS::IoT::Certificate::StateName",
    "AWS::IoT::Certificate::CommonName",
    kSerialNumberParameter,
    kCertificateIdParameter,
});

constexpr bool is_certificate_parameter(std::string_view name) {
    for (const std::string_view known : kCertificateParameters) {
        if (known == name) return true;
    }
    return false;
}

}  // namespace hatchery::templates
