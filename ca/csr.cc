#include "ca/csr.h"

#include "ca/der.h"
#include "ca/key.h"
#include "ca/openssl.h"
#include "ca/public_key.h"
#include "ca/x509_parts.h"

#include <algorithm>
#include <array>

namespace hatchery::ca {

struct Csr::Parsed {
    CsrFields fields;
    PublicKey key;
    Bytes info;       ///< certificationRequestInfo, whole: what is signed
    Bytes algorithm;  ///< AlgorithmIdentifier of the signature, whole
    Bytes signature;
    bool is_own = false;  ///< for_own_key: the three above are empty
};

namespace {

constexpr std::size_t kMaxRequest = 64UL * 1024;
constexpr int kMaxExtensions = 64;

Error invalid_csr(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "CSR");
}

bool is_request_label(std::string_view label) {
    return label == "CERTIFICATE REQUEST" || label == "NEW CERTIFICATE REQUEST";
}

/// DER as it is, or the first request of a PEM text. A DER request starts with a SEQUENCE, which is
/// "0" in ASCII: text that starts so is no PEM either.
Result<Bytes> to_der(ByteView input) {
    if (!input.empty() && input.front() == der::kSequence) return to_bytes(input);
    const std::string_view pem = text_of(input);
    for (std::size_t at = 0;;) {
        auto block = next_pem_block(pem, at);
        if (!block) return invalid_csr(block.error().message);
        if (!*block) {
            return invalid_csr("expected a certificate request in PEM or DER, found neither");
        }
        if (is_request_label((*block)->label)) return std::move((*block)->der);
    }
}

constexpr std::array<std::uint8_t, 9> kOidExtensionRequest{
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
/// Microsoft's older name for the same attribute (szOID_CERT_EXTENSIONS).
constexpr std::array<std::uint8_t, 10> kOidMsExtensionRequest{
    0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0e};

/// AlgorithmIdentifier's content: an object identifier and at most one thing more.
bool is_algorithm(ByteView content) {
    der::Reader reader(content);
    const auto type = reader.next_if(der::kOid);
    if (!type || !der::is_oid(type->content)) return false;
    if (reader.done()) return true;
    const auto parameters = reader.next();
    return parameters && reader.done() && der::is_any(*parameters);
}

Error no_request() {
    return invalid_csr("expected a certificate request, found bytes that do not parse as one");
}

Error malformed_extensions() {
    return invalid_csr("malformed extensionRequest attribute");
}

Result<> add_extension(RequestedExtension requested, CsrFields& fields) {
    if (requested.oid == extension::kSubjectAltName) {
        auto names = read_alt_names(requested.value);
        if (!names) return invalid_csr(names.error().message);
        fields.dns_names = std::move(names->dns);
        fields.ip_addresses = std::move(names->ips);
        fields.email_addresses = std::move(names->emails);
        fields.uris = std::move(names->uris);
    }
    fields.extensions.push_back(std::move(requested));
    return {};
}

/// `extensions`: the SEQUENCE OF Extension that is the attribute's one value.
Result<> read_extensions(ByteView extensions, CsrFields& fields) {
    const auto content = der::only(der::kSequence, extensions);
    if (!content) return malformed_extensions();
    der::Reader reader(*content);
    for (int count = 0; !reader.done(); ++count) {
        if (count >= kMaxExtensions) return invalid_csr("expected at most 64 requested extensions");
        auto extension = read_extension(reader);
        if (!extension) return malformed_extensions();
        auto added = add_extension(
            {std::move(extension->oid), extension->critical, to_bytes(extension->value)}, fields);
        if (!added) return added;
    }
    return {};
}

/// Attribute ::= SEQUENCE { type, values SET OF ANY }; at most one asks for extensions.
Result<> read_attributes(ByteView attributes, CsrFields& fields) {
    std::optional<ByteView> extensions;
    int asking = 0;
    for (der::Reader reader(attributes); !reader.done();) {
        const auto attribute = reader.next_if(der::kSequence);
        if (!attribute) return no_request();
        der::Reader inside(attribute->content);
        const auto type = inside.next_if(der::kOid);
        const auto values = inside.next_if(der::kSet);
        if (!type || !der::is_oid(type->content) || !values || !inside.done()) return no_request();
        std::vector<ByteView> members;
        for (der::Reader set(values->content); !set.done();) {
            const auto value = set.next();
            if (!value || !der::is_any(*value)) return no_request();
            members.push_back(value->whole);
        }
        if (!std::ranges::equal(type->content, kOidExtensionRequest) &&
            !std::ranges::equal(type->content, kOidMsExtensionRequest)) {
            continue;  // a challenge password, say: nothing that a certificate takes over
        }
        if (++asking > 1) return invalid_csr("expected at most one extensionRequest attribute");
        if (members.size() != 1) return malformed_extensions();
        extensions = members.front();
    }
    return extensions ? read_extensions(*extensions, fields) : Result<>{};
}

/// certificationRequestInfo (RFC 2986 4.1).
Result<> read_info(ByteView info, CsrFields& fields, PublicKey& key) {
    static constexpr std::array<std::uint8_t, 3> version_1{der::kInteger, 1, 0};
    der::Reader reader(info);
    const auto version = reader.next_if(der::kInteger);
    const auto subject = reader.next_if(der::kSequence);
    const auto public_key = reader.next_if(der::kSequence);
    if (!version || !subject || !public_key || !std::ranges::equal(version->whole, version_1)) {
        return no_request();
    }
    auto name = read_name(subject->whole);
    auto read_key = read_public_key(public_key->whole);
    if (!name || !read_key) return no_request();
    fields.subject = std::move(*name);
    fields.subject_der = to_bytes(subject->whole);
    fields.public_key_der = to_bytes(public_key->whole);
    fields.key_algorithm = read_key->algorithm;
    fields.key_bits = read_key->bits;
    fields.curve = read_key->curve;
    key = std::move(*read_key);
    if (reader.done()) return {};  // old tools leave the attributes out where there are none
    const auto attributes = reader.next_if(der::context_constructed(0));
    if (!attributes || !reader.done()) return no_request();
    return read_attributes(attributes->content, fields);
}

}  // namespace

Result<Csr> Csr::parse(ByteView pem_or_der) {
    if (pem_or_der.size() > kMaxRequest) {
        return invalid_csr("expected a certificate request of at most 65536 bytes, found " +
                           std::to_string(pem_or_der.size()));
    }
    auto der = to_der(pem_or_der);
    if (!der) return std::move(der).error();
    der::Reader outer(*der);
    const auto request = outer.next_if(der::kSequence);
    if (!request) return no_request();
    der::Reader reader(request->content);
    const auto info = reader.next_if(der::kSequence);
    const auto algorithm = reader.next_if(der::kSequence);
    const auto signature = reader.next_if(der::kBitString);
    if (!info || !algorithm || !signature || !reader.done() || !is_algorithm(algorithm->content) ||
        !der::is_bit_string(signature->content) || signature->content[0] != 0) {
        return no_request();
    }
    auto parsed = std::make_shared<Parsed>();
    if (auto read = read_info(info->content, parsed->fields, parsed->key); !read) {
        return std::move(read).error();
    }
    if (request->whole.size() != der->size()) {
        return invalid_csr("expected one certificate request, found " +
                           std::to_string(der->size() - request->whole.size()) + " bytes after it");
    }
    parsed->info = to_bytes(info->whole);
    parsed->algorithm = to_bytes(algorithm->whole);
    parsed->signature = to_bytes(signature->content.subspan(1));
    parsed->fields.der = std::move(*der);
    Csr csr;
    csr.fields_ = std::shared_ptr<const CsrFields>(parsed, &parsed->fields);
    csr.parsed_ = std::move(parsed);
    return csr;
}

Result<Csr> Csr::for_own_key(const PrivateKey& key) {
    auto parsed = std::make_shared<Parsed>();
    const Bytes info = der::sequence({der::small_integer(0),
                                      der::sequence({}),
                                      key.public_key_der(),
                                      der::tlv(der::context_constructed(0), {})});
    der::Reader reader(info);
    const auto whole = reader.next_if(der::kSequence);
    if (!whole) return no_request();
    if (auto read = read_info(whole->content, parsed->fields, parsed->key); !read) {
        return std::move(read).error();
    }
    parsed->is_own = true;
    Csr csr;
    csr.fields_ = std::shared_ptr<const CsrFields>(parsed, &parsed->fields);
    csr.parsed_ = std::move(parsed);
    return csr;
}

const PublicKey& Csr::public_key() const {
    return parsed_->key;
}

Result<> Csr::verify_signature() const {
    if (parsed_->is_own) return {};
    static constexpr std::string_view where = "CSR.signature";
    switch (verify(parsed_->key, parsed_->algorithm, parsed_->info, parsed_->signature)) {
        case Verification::Good:
            return {};
        case Verification::Bad:
            return fail(Code::InvalidRequest,
                        "the request's self-signature does not verify with its own key",
                        std::string(where));
        case Verification::UnknownAlgorithm:
            break;
    }
    return fail(Code::InvalidRequest,
                "expected a self-signature with SHA-256, SHA-384, SHA-512 or Ed25519",
                std::string(where));
}

}  // namespace hatchery::ca
