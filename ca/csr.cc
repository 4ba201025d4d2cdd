#include "ca/csr.h"

#include "ca/der.h"
#include "ca/openssl.h"
#include "ca/x509_parts.h"

#include <openssl/objects.h>

#include <algorithm>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxRequest = 64UL * 1024;
constexpr int kMaxExtensions = 64;

Error invalid(std::string message) {
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
        if (!block) return invalid(block.error().message);
        if (!*block) {
            return invalid("expected a certificate request in PEM or DER, found neither");
        }
        if (is_request_label((*block)->label)) return std::move((*block)->der);
    }
}

/// Nothing asked for is an empty list. @errors InvalidRequest  malformed, or two such attributes
Result<ExtensionsPtr> read_extensions(X509_REQ* request) {
    int count = 0;
    for (const int nid : {NID_ext_req, NID_ms_ext_req}) {
        for (int at = -1; (at = X509_REQ_get_attr_by_NID(request, nid, at)) >= 0;)
            ++count;
    }
    if (count == 0) return ExtensionsPtr{};
    if (count > 1) return invalid("expected at most one extensionRequest attribute");
    ExtensionsPtr extensions(X509_REQ_get_extensions(request));
    if (!extensions) return invalid("malformed extensionRequest attribute");
    if (X509v3_get_ext_count(extensions.get()) > kMaxExtensions) {
        return invalid("expected at most 64 requested extensions");
    }
    return extensions;
}

Result<> add_extension(X509_EXTENSION* extension, CsrFields& fields) {
    RequestedExtension requested;
    requested.oid = oid_text(X509_EXTENSION_get_object(extension));
    requested.critical = X509_EXTENSION_get_critical(extension) == 1;
    const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
    requested.value.assign(ASN1_STRING_get0_data(value),
                           ASN1_STRING_get0_data(value) + ASN1_STRING_length(value));
    if (requested.oid == extension::kSubjectAltName) {
        auto names = read_alt_names(requested.value);
        if (!names) return invalid(names.error().message);
        fields.dns_names = std::move(names->dns);
        fields.ip_addresses = std::move(names->ips);
        fields.email_addresses = std::move(names->emails);
        fields.uris = std::move(names->uris);
    }
    fields.extensions.push_back(std::move(requested));
    return {};
}

Result<CsrFields> read_fields(X509_REQ* request, Bytes der) {
    CsrFields fields;
    fields.der = std::move(der);
    X509_NAME* subject = X509_REQ_get_subject_name(request);  // get0
    fields.subject = read_name(subject);
    fields.subject_der = name_der(subject);
    auto key = read_key_info(X509_REQ_get_X509_PUBKEY(request));
    fields.public_key_der = std::move(key.der);
    fields.key_algorithm = std::move(key.algorithm);
    fields.key_bits = key.bits;
    fields.curve = std::move(key.curve);
    auto extensions = read_extensions(request);
    if (!extensions) return std::move(extensions).error();
    const int count = X509v3_get_ext_count(extensions->get());
    for (int i = 0; i < count; ++i) {
        auto added = add_extension(X509v3_get_ext(extensions->get(), i), fields);
        if (!added) return std::move(added).error();
    }
    return fields;
}

}  // namespace

Result<Csr> Csr::parse(ByteView pem_or_der) {
    if (pem_or_der.size() > kMaxRequest) {
        return invalid("expected a certificate request of at most 65536 bytes, found " +
                       std::to_string(pem_or_der.size()));
    }
    auto der = to_der(pem_or_der);
    if (!der) return std::move(der).error();
    clear_openssl_errors();
    const unsigned char* cursor = der->data();
    X509RequestPtr handle(
        der->empty() ? nullptr : d2i_X509_REQ(nullptr, &cursor, static_cast<long>(der->size())));
    if (!handle) {
        clear_openssl_errors();
        return invalid("expected a certificate request, found bytes that do not parse as one");
    }
    if (cursor != der->data() + der->size()) {
        return invalid("expected one certificate request, found " +
                       std::to_string(der->data() + der->size() - cursor) + " bytes after it");
    }
    auto fields = read_fields(handle.get(), std::move(*der));
    clear_openssl_errors();
    if (!fields) return std::move(fields).error();
    Csr csr;
    csr.fields_ = std::make_shared<const CsrFields>(std::move(*fields));
    csr.handle_ = std::shared_ptr<X509_req_st>(std::move(handle));
    return csr;
}

Result<> Csr::verify_signature() const {
    clear_openssl_errors();
    EVP_PKEY* key = X509_REQ_get0_pubkey(handle_.get());
    const bool verified = key != nullptr && X509_REQ_verify(handle_.get(), key) == 1;
    clear_openssl_errors();
    if (verified) return {};
    return fail(Code::InvalidRequest,
                "the request's self-signature does not verify with its own key",
                "CSR.signature");
}

}  // namespace hatchery::ca
