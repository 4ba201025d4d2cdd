#include "ca/x509_parts.h"

#include "ca/der.h"
#include "ca/digest.h"

#include <arpa/inet.h>

#include <algorithm>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxAltNames = 256;

Error malformed(std::string_view what) {
    return fail(Code::InvalidRequest, "malformed " + std::string(what));
}

bool is_printable_string(std::string_view text) {
    static constexpr std::string_view marks = " '()+,-./:=?";
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// RFC 5280 appendix A: country, serialNumber and dnQualifier are PrintableString; e-mail and
/// domain component are IA5String. Device serials with "_" are common: UTF8String then.
std::uint8_t string_type(const NameAttribute& attribute) {
    const bool printable = attribute.oid == oid::kCountry || attribute.oid == oid::kSerialNumber ||
                           attribute.oid == oid::kDnQualifier;
    if (printable && is_printable_string(attribute.value)) return der::kPrintableString;
    const bool ia5 = attribute.oid == oid::kEmailAddress || attribute.oid == oid::kDomainComponent;
    return ia5 && is_ascii(attribute.value) ? der::kIa5String : der::kUtf8String;
}

Bytes join(const std::vector<Bytes>& parts) {
    Bytes out;
    for (const auto& part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

}  // namespace

Name read_name(const X509_NAME* name) {
    Name out;
    const int count = X509_NAME_entry_count(name);
    out.attributes.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);  // get0
        NameAttribute attribute;
        attribute.oid = oid_text(X509_NAME_ENTRY_get_object(entry));
        attribute.rdn = static_cast<std::size_t>(X509_NAME_ENTRY_set(entry));
        ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);  // get0
        unsigned char* utf8 = nullptr;
        clear_openssl_errors();
        const int size = ASN1_STRING_to_UTF8(&utf8, value);
        const BufferPtr owner(utf8);
        if (size >= 0) {
            attribute.value = text_of({utf8, static_cast<std::size_t>(size)});
        } else {
            clear_openssl_errors();
            const ByteView raw{ASN1_STRING_get0_data(value),
                               static_cast<std::size_t>(ASN1_STRING_length(value))};
            const auto tag = static_cast<std::uint8_t>(ASN1_STRING_type(value));
            attribute.value = "#" + to_hex(der::tlv(tag, {raw}));
            attribute.text = false;
        }
        out.attributes.push_back(std::move(attribute));
    }
    return out;
}

namespace {

void append_utf8(std::string& text, std::uint32_t point) {
    const auto put = [&text](std::uint32_t octet) { text += static_cast<char>(octet); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xc0 | point >> 6);
        put(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        put(0xe0 | point >> 12);
        put(0x80 | (point >> 6 & 0x3f));
        put(0x80 | (point & 0x3f));
    } else {
        put(0xf0 | point >> 18);
        put(0x80 | (point >> 12 & 0x3f));
        put(0x80 | (point >> 6 & 0x3f));
        put(0x80 | (point & 0x3f));
    }
}

bool is_scalar(std::uint32_t point) {
    return point < 0xd800 || (point > 0xdfff && point < 0x110000);
}

/// RFC 3629: shortest form, no surrogate, nothing above U+10FFFF.
bool is_utf8(ByteView text) {
    for (std::size_t i = 0; i < text.size();) {
        const std::uint8_t first = text[i++];
        if (first < 0x80) continue;
        const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || text.size() - i < more) return false;
        std::uint32_t point = first & (0x3fU >> more);
        for (std::size_t k = 0; k < more; ++k) {
            if ((text[i] & 0xc0) != 0x80) return false;
            point = point << 6 | (text[i++] & 0x3fU);
        }
        static constexpr std::array<std::uint32_t, 4> least{0, 0x80, 0x800, 0x10000};
        if (point < least[more] || !is_scalar(point)) return false;
    }
    return true;
}

/// Big-endian units of `width` octets, each a character (T.61 is read as Latin-1, as everyone
/// does).
std::optional<std::string> units_to_utf8(ByteView units, std::size_t width) {
    std::string text;
    text.reserve(units.size());
    for (std::size_t i = 0; i < units.size(); i += width) {
        std::uint32_t point = 0;
        for (std::size_t k = 0; k < width; ++k)
            point = point << 8 | units[i + k];
        if (!is_scalar(point)) return std::nullopt;
        append_utf8(text, point);
    }
    return text;
}

std::optional<std::string> to_utf8(const der::Element& value) {
    switch (value.tag) {
        case der::kUtf8String:
            if (!is_utf8(value.content)) return std::nullopt;
            return std::string(text_of(value.content));
        case der::kNumericString:
        case der::kPrintableString:
        case der::kTeletexString:
        case der::kIa5String:
            return units_to_utf8(value.content, 1);
        case der::kBmpString:
            return units_to_utf8(value.content, 2);
        case der::kUniversalString:
            return units_to_utf8(value.content, 4);
        default:
            return std::nullopt;
    }
}

/// AttributeTypeAndValue. OpenSSL takes character strings, BIT STRING and SEQUENCE as a value.
Result<NameAttribute> read_attribute(const der::Element& element, std::size_t rdn) {
    der::Reader reader(element.content);
    const auto type = reader.next_if(der::kOid);
    const auto value = reader.next();
    const bool known =
        value && (value->tag == der::kUtf8String || value->tag == der::kNumericString ||
                  value->tag == der::kPrintableString || value->tag == der::kTeletexString ||
                  value->tag == der::kIa5String || value->tag == der::kBmpString ||
                  value->tag == der::kUniversalString || value->tag == der::kBitString ||
                  value->tag == der::kSequence);
    if (!type || !known || !reader.done() || !der::is_any(*value)) return malformed("name");
    auto oid = der::oid_text(type->content);
    if (!oid) return malformed("name");
    NameAttribute attribute;
    attribute.oid = std::move(*oid);
    attribute.rdn = rdn;
    const bool is_string = value->tag != der::kBitString && value->tag != der::kSequence;
    if (auto text = to_utf8(*value); text) {
        attribute.value = std::move(*text);
    } else if (is_string) {
        return malformed("name");  // invalid UTF-8, say: OpenSSL refuses the whole name, too
    } else {
        attribute.value = "#" + to_hex(value->whole);
        attribute.text = false;
    }
    return attribute;
}

}  // namespace

Result<Name> read_name(ByteView der) {
    Name name;
    const auto content = der::only(der::kSequence, der);
    if (!content) return malformed("name");
    der::Reader rdns(*content);
    for (std::size_t rdn = 0; !rdns.done(); ++rdn) {
        const auto set = rdns.next_if(der::kSet);
        if (!set || set->content.empty()) return malformed("name");
        for (der::Reader members(set->content); !members.done();) {
            const auto member = members.next_if(der::kSequence);
            if (!member) return malformed("name");
            auto attribute = read_attribute(*member, rdn);
            if (!attribute) return std::move(attribute).error();
            name.attributes.push_back(std::move(*attribute));
        }
    }
    return name;
}

Bytes name_der(X509_NAME* name) {
    return encode_openssl([name](unsigned char** out) { return i2d_X509_NAME(name, out); });
}

Result<Bytes> encode_name(const Name& name) {
    Bytes rdns;
    const auto& attributes = name.attributes;
    for (std::size_t i = 0; i < attributes.size();) {
        std::vector<Bytes> members;
        const std::size_t rdn = attributes[i].rdn;
        for (; i < attributes.size() && attributes[i].rdn == rdn; ++i) {
            const auto type = der::oid(attributes[i].oid);
            if (!type) {
                return fail(Code::InvalidRequest,
                            "expected an object identifier, found \"" + attributes[i].oid + "\"");
            }
            const Bytes value =
                der::tlv(string_type(attributes[i]), {bytes_of(attributes[i].value)});
            members.push_back(der::sequence({*type, value}));
        }
        std::ranges::sort(members);  // X.690 11.6: SET OF in ascending order of the encodings
        const Bytes set = der::tlv(der::kSet, {join(members)});
        rdns.insert(rdns.end(), set.begin(), set.end());
    }
    return der::sequence({rdns});
}

namespace {

Result<std::string> ip_text(ByteView address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.size() != 4 && address.size() != 16) return malformed("iPAddress");
    const int family = address.size() == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, address.data(), text.data(), text.size()) == nullptr) {
        return malformed("iPAddress");
    }
    return std::string(text.data());
}

Result<> add_alt_name(AltNames& names, const der::Element& element) {
    if (element.tag == der::context(7)) {
        auto ip = ip_text(element.content);
        if (!ip) return std::move(ip).error();
        names.ips.push_back(std::move(*ip));
        return {};
    }
    auto* list = element.tag == der::context(1)   ? &names.emails
                 : element.tag == der::context(2) ? &names.dns
                 : element.tag == der::context(6) ? &names.uris
                                                  : nullptr;
    if (list == nullptr) {
        names.other = true;
        return {};
    }
    const std::string_view text = text_of(element.content);
    // IA5String. A byte above it, or a NUL, would mean one thing here and another to a reader in C.
    if (!is_ascii(text) || text.find('\0') != std::string_view::npos) {
        return malformed("subjectAltName: expected ASCII text");
    }
    list->emplace_back(text);
    return {};
}

}  // namespace

Result<AltNames> read_alt_names(ByteView value) {
    AltNames names;
    const auto content = der::only(der::kSequence, value);
    if (!content) return malformed("subjectAltName");
    der::Reader reader(*content);
    for (std::size_t count = 0; !reader.done(); ++count) {
        const auto element = reader.next();
        if (!element) return malformed("subjectAltName");
        if (count >= kMaxAltNames) {
            return fail(Code::InvalidRequest, "expected at most 256 subject alternative names");
        }
        if (auto added = add_alt_name(names, *element); !added) return std::move(added).error();
    }
    return names;
}

Result<Bytes> encode_alt_names(const AltNames& names) {
    Bytes content;
    const auto append = [&content](std::uint8_t tag, ByteView value) {
        const Bytes element = der::tlv(tag, {value});
        content.insert(content.end(), element.begin(), element.end());
    };
    for (const auto& email : names.emails)
        append(der::context(1), bytes_of(email));
    for (const auto& dns : names.dns)
        append(der::context(2), bytes_of(dns));
    for (const auto& uri : names.uris)
        append(der::context(6), bytes_of(uri));
    for (const auto& ip : names.ips) {
        std::array<std::uint8_t, 16> address{};
        const bool v4 = inet_pton(AF_INET, ip.c_str(), address.data()) == 1;
        if (!v4 && inet_pton(AF_INET6, ip.c_str(), address.data()) != 1) {
            return fail(Code::InvalidRequest, "expected an IP address, found \"" + ip + "\"");
        }
        append(der::context(7), ByteView(address).first(v4 ? 4 : 16));
    }
    if (content.empty()) return Bytes{};
    return der::sequence({content});
}

Result<BasicConstraints> read_basic_constraints(ByteView value) {
    BasicConstraints constraints;
    const auto content = der::only(der::kSequence, value);
    if (!content) return malformed("basicConstraints");
    der::Reader reader(*content);
    if (const auto flag = reader.next_if(der::kBoolean); flag) {
        if (flag->content.size() != 1) return malformed("basicConstraints");
        constraints.is_ca = flag->content[0] != 0;
    }
    if (const auto number = reader.next_if(der::kInteger); number) {
        // A longer path than 127 CAs does not exist; negative has no meaning.
        if (number->content.size() != 1 || number->content[0] > 0x7f) {
            return malformed("basicConstraints");
        }
        constraints.path_length = number->content[0];
    }
    if (!reader.done()) return malformed("basicConstraints");
    return constraints;
}

Result<std::vector<std::string>> read_key_usage(ByteView value) {
    const auto content = der::only(der::kBitString, value);
    if (!content || content->empty() || content->size() > 3) return malformed("keyUsage");
    std::vector<std::string> names;
    for (std::size_t bit = 0; bit < 8 * (content->size() - 1); ++bit) {
        if (((*content)[1 + bit / 8] & (0x80U >> (bit % 8))) == 0) continue;
        if (bit >= kKeyUsageNames.size()) return malformed("keyUsage");
        names.emplace_back(kKeyUsageNames[bit]);
    }
    return names;
}

Result<std::vector<std::string>> read_extended_key_usage(ByteView value) {
    const auto content = der::only(der::kSequence, value);
    if (!content || content->size() > 512) return malformed("extendedKeyUsage");
    std::vector<std::string> names;
    der::Reader reader(*content);
    while (!reader.done()) {
        const auto element = reader.next_if(der::kOid);
        auto name = element ? der::oid_text(element->content) : std::nullopt;
        if (!name) return malformed("extendedKeyUsage");
        for (const auto& known : kExtendedKeyUsages) {
            if (known.oid == *name) {
                *name = known.name;
                break;
            }
        }
        names.push_back(std::move(*name));
    }
    return names;
}

Bytes key_identifier(ByteView public_key_der) {
    ByteView bits = public_key_der;
    if (const auto content = der::only(der::kSequence, public_key_der); content) {
        der::Reader reader(*content);
        static_cast<void>(reader.next_if(der::kSequence));  // AlgorithmIdentifier
        const auto key = reader.next_if(der::kBitString);
        if (key && !key->content.empty()) bits = key->content.subspan(1);
    }
    const auto digest = sha1(bits);
    return {digest.begin(), digest.end()};
}

Result<ReadExtension> read_extension(der::Reader& reader) {
    const auto element = reader.next_if(der::kSequence);
    if (!element) return malformed("extension");
    der::Reader inside(element->content);
    ReadExtension extension;
    const auto type = inside.next_if(der::kOid);
    const auto critical = inside.next_if(der::kBoolean);
    const auto value = inside.next_if(der::kOctetString);
    if (!type || !value || !inside.done()) return malformed("extension");
    if (critical) {
        const bool is_boolean = critical->content.size() == 1 &&
                                (critical->content[0] == 0x00 || critical->content[0] == 0xff);
        if (!is_boolean) return malformed("extension");
        extension.critical = critical->content[0] != 0;
    }
    auto oid = der::oid_text(type->content);
    if (!oid) return malformed("extension");
    extension.oid = std::move(*oid);
    extension.value = value->content;
    return extension;
}

Bytes encode_extensions(const std::vector<ExtensionToWrite>& extensions) {
    static const Bytes is_critical = der::boolean_true();
    Bytes content;
    content.reserve(512);
    for (const auto& item : extensions) {
        const Bytes type = der::oid(item.oid).value_or(Bytes{});
        const ByteView critical = item.critical ? ByteView(is_critical) : ByteView();
        const Bytes one =
            der::sequence({type, critical, der::tlv(der::kOctetString, {item.value})});
        content.insert(content.end(), one.begin(), one.end());
    }
    return der::sequence({content});
}

}  // namespace hatchery::ca
