#include "ca/name.h"

#include <array>

namespace hatchery::ca {

namespace {

struct ShortName {
    std::string_view oid;
    std::string_view name;
};
constexpr std::array<ShortName, 18> kShortNames{{{oid::kCommonName, "CN"},
                                                 {oid::kSurname, "SN"},
                                                 {oid::kSerialNumber, "serialNumber"},
                                                 {oid::kCountry, "C"},
                                                 {oid::kLocality, "L"},
                                                 {oid::kState, "ST"},
                                                 {oid::kStreet, "STREET"},
                                                 {oid::kOrganization, "O"},
                                                 {oid::kOrganizationalUnit, "OU"},
                                                 {oid::kTitle, "title"},
                                                 {oid::kGivenName, "GN"},
                                                 {oid::kInitials, "initials"},
                                                 {oid::kGenerationQualifier, "generationQualifier"},
                                                 {oid::kDnQualifier, "dnQualifier"},
                                                 {oid::kPseudonym, "pseudonym"},
                                                 {oid::kEmailAddress, "emailAddress"},
                                                 {oid::kDomainComponent, "DC"},
                                                 {oid::kUserId, "UID"}}};

/// RFC 4514 section 2.4.
std::string escape_value(std::string_view value) {
    static constexpr std::string_view special = ",+\"\\<>;=";
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const auto byte = static_cast<unsigned char>(c);
        const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
        if (byte < 0x20 || byte == 0x7f) {
            text += '\\';
            text += hex[byte >> 4];
            text += hex[byte & 15];
            continue;
        }
        if (edge || special.find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

}  // namespace

std::optional<std::string_view> Name::first(std::string_view oid) const {
    for (const auto& attribute : attributes) {
        if (attribute.oid == oid) return attribute.value;
    }
    return std::nullopt;
}

std::string Name::to_string() const {
    std::string text;
    for (std::size_t end = attributes.size(); end > 0;) {
        std::size_t begin = end - 1;  // one RDN is [begin, end)
        while (begin > 0 && attributes[begin - 1].rdn == attributes[begin].rdn)
            --begin;
        if (!text.empty()) text += ',';
        for (std::size_t i = begin; i < end; ++i) {
            const auto& attribute = attributes[i];
            if (i > begin) text += '+';
            text += attribute_name(attribute.oid);
            text += '=';
            text += attribute.text ? escape_value(attribute.value) : attribute.value;
        }
        end = begin;
    }
    return text;
}

std::string_view attribute_name(std::string_view oid) {
    for (const auto& row : kShortNames) {
        if (row.oid == oid) return row.name;
    }
    return oid;
}

std::optional<std::string_view> attribute_oid(std::string_view name) {
    for (const auto& row : kShortNames) {
        if (row.name == name) return row.oid;
    }
    return std::nullopt;
}

}  // namespace hatchery::ca
