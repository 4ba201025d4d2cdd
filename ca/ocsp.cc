#include "ca/ocsp.h"

#include "ca/der.h"
#include "ca/digest.h"
#include "ca/openssl.h"
#include "ca/signature.h"
#include "ca/x509_parts.h"

#include <algorithm>
#include <array>

namespace hatchery::ca {

namespace {

constexpr std::uint8_t kOcspEnumerated = 0x0a;
constexpr std::size_t kMaxNonce = 128;
constexpr std::array<std::uint8_t, 5> kSha1Oid{0x2b, 0x0e, 0x03, 0x02, 0x1a};
constexpr std::array<std::uint8_t, 9> kSha256Oid{
    0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
/// id-pkix-ocsp-basic and id-pkix-ocsp-nonce (RFC 6960 4.2.1, 4.4.1).
constexpr std::array<std::uint8_t, 9> kBasicOid{
    0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
constexpr std::array<std::uint8_t, 9> kNonceOid{
    0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};

bool equal_bytes(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

Error wrong_request(std::string_view what) {
    return fail(Code::InvalidRequest, "malformed OCSP request: " + std::string(what), "OCSP");
}

/// GeneralizedTime always, unlike a certificate's (RFC 6960 4.2.2.1).
Bytes generalized_time(Time when) {
    std::string text;
    for (const char c : to_iso8601(when)) {
        if (c != '-' && c != ':' && c != 'T') text += c;
    }
    return der::tlv(der::kGeneralizedTime, {bytes_of(text)});
}

/// CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }
Result<OcspCertId> read_cert_id(const der::Element& element) {
    OcspCertId id;
    id.der = to_bytes(element.whole);
    der::Reader parts(element.content);
    const auto algorithm = parts.next_if(der::kSequence);
    if (!algorithm) return wrong_request("hashAlgorithm");
    der::Reader in_algorithm(algorithm->content);
    const auto type = in_algorithm.next_if(der::kOid);
    if (!type) return wrong_request("hashAlgorithm");
    id.is_sha256 = equal_bytes(type->content, kSha256Oid);
    if (!id.is_sha256 && !equal_bytes(type->content, kSha1Oid)) {
        return wrong_request("expected hashes of SHA-1 or SHA-256");
    }
    const auto name_hash = parts.next_if(der::kOctetString);
    const auto key_hash = parts.next_if(der::kOctetString);
    const auto serial = parts.next_if(der::kInteger);
    if (!name_hash || !key_hash || !serial || !parts.done()) return wrong_request("CertID");
    ByteView magnitude = serial->content;
    if (magnitude.empty() || magnitude.size() > 32) return wrong_request("serialNumber");
    while (magnitude.size() > 1 && magnitude.front() == 0)
        magnitude = magnitude.subspan(1);
    id.issuer_name_hash = to_bytes(name_hash->content);
    id.issuer_key_hash = to_bytes(key_hash->content);
    id.serial_number = to_bytes(magnitude);
    return id;
}

Result<std::vector<OcspCertId>> read_request_list(ByteView content) {
    std::vector<OcspCertId> ids;
    der::Reader list(content);
    while (!list.done()) {
        if (ids.size() == kMaxOcspIds) return wrong_request("too many certificates");
        const auto request = list.next_if(der::kSequence);
        if (!request) return wrong_request("requestList");
        der::Reader parts(request->content);
        const auto cert_id = parts.next_if(der::kSequence);
        if (!cert_id) return wrong_request("reqCert");
        auto id = read_cert_id(*cert_id);
        if (!id) return std::move(id).error();
        if (!parts.done() && !parts.next_if(der::context_constructed(0))) {
            return wrong_request("Request");
        }
        if (!parts.done()) return wrong_request("Request");
        ids.push_back(std::move(*id));
    }
    if (ids.empty()) return wrong_request("no certificate");
    return ids;
}

/// The nonce among the extensions; others are ignored unless critical.
Result<Bytes> read_nonce(ByteView explicit_extensions) {
    const auto list = der::only(der::kSequence, explicit_extensions);
    if (!list) return wrong_request("requestExtensions");
    Bytes nonce;
    der::Reader extensions(*list);
    while (!extensions.done()) {
        const auto extension = extensions.next_if(der::kSequence);
        if (!extension) return wrong_request("Extension");
        der::Reader parts(extension->content);
        const auto type = parts.next_if(der::kOid);
        const auto critical = parts.next_if(der::kBoolean);
        const auto value = parts.next_if(der::kOctetString);
        if (!type || !value || !parts.done()) return wrong_request("Extension");
        if (equal_bytes(type->content, kNonceOid)) {
            if (value->content.empty() || value->content.size() > kMaxNonce) {
                return wrong_request("expected a nonce of 1 to 128 bytes");
            }
            nonce = to_bytes(value->content);
        } else if (critical && !critical->content.empty() && critical->content[0] != 0) {
            return wrong_request("unknown critical extension");
        }
    }
    return nonce;
}

/// CertStatus: good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL, all IMPLICIT.
Bytes encode_status(const OcspAnswer& answer) {
    if (answer.state == OcspState::Good) return der::tlv(der::context(0), {});
    if (answer.state == OcspState::Unknown) return der::tlv(der::context(2), {});
    Bytes reason;
    if (answer.reason != RevocationReason::Unspecified) {
        const auto value = static_cast<std::uint8_t>(answer.reason);
        reason = der::tlv(der::context_constructed(0),
                          {der::tlv(kOcspEnumerated, {ByteView(&value, 1)})});
    }
    return der::tlv(der::context_constructed(1), {generalized_time(answer.revoked), reason});
}

Bytes encode_answer(const OcspAnswer& answer, const OcspContent& content) {
    return der::sequence(
        {answer.id.der,
         encode_status(answer),
         generalized_time(content.this_update),
         der::tlv(der::context_constructed(0), {generalized_time(content.next_update)})});
}

Bytes encode_nonce(const Bytes& nonce) {
    if (nonce.empty()) return {};
    const Bytes extension = der::sequence(
        {der::tlv(der::kOid, {ByteView(kNonceOid)}), der::tlv(der::kOctetString, {nonce})});
    return der::tlv(der::context_constructed(1), {der::sequence({extension})});
}

Bytes encode_response(std::uint8_t status, ByteView response_bytes) {
    return der::sequence({der::tlv(kOcspEnumerated, {ByteView(&status, 1)}), response_bytes});
}

}  // namespace

bool OcspCertId::is_of(const Certificate& issuer) const {
    // The key's bits alone: BIT STRING's content behind its unused-bits octet.
    const auto info = der::only(der::kSequence, issuer.fields().public_key_der);
    if (!info) return false;
    der::Reader parts(*info);
    const auto algorithm = parts.next();
    const auto bits = parts.next_if(der::kBitString);
    if (!algorithm || !bits || bits->content.empty()) return false;
    const ByteView key = bits->content.subspan(1);
    const ByteView name = issuer.fields().subject_der;
    if (is_sha256) {
        return equal_bytes(issuer_name_hash, sha256(name)) &&
               equal_bytes(issuer_key_hash, sha256(key));
    }
    return equal_bytes(issuer_name_hash, sha1(name)) && equal_bytes(issuer_key_hash, sha1(key));
}

Result<OcspRequest> parse_ocsp_request(ByteView bytes) {
    if (bytes.size() > kMaxOcspRequestBytes) return wrong_request("over 8192 bytes");
    const auto whole = der::only(der::kSequence, bytes);
    if (!whole) return wrong_request("expected one SEQUENCE");
    der::Reader outer(*whole);
    const auto tbs = outer.next_if(der::kSequence);
    if (!tbs) return wrong_request("tbsRequest");
    if (!outer.done() && !outer.next_if(der::context_constructed(0))) {
        return wrong_request("optionalSignature");
    }
    if (!outer.done()) return wrong_request("trailing data");
    der::Reader parts(tbs->content);
    const Bytes version1 = der::tlv(der::kInteger, {ByteView(std::array<std::uint8_t, 1>{0})});
    if (const auto version = parts.next_if(der::context_constructed(0));
        version && !equal_bytes(version->content, version1)) {
        return wrong_request("expected version 1");
    }
    parts.next_if(der::context_constructed(1));  // requestorName: anybody may ask
    const auto list = parts.next_if(der::kSequence);
    if (!list) return wrong_request("requestList");
    auto ids = read_request_list(list->content);
    if (!ids) return std::move(ids).error();
    OcspRequest request{std::move(*ids), {}};
    if (parts.done()) return request;
    const auto extensions = parts.next_if(der::context_constructed(2));
    if (!extensions || !parts.done()) return wrong_request("tbsRequest");
    auto nonce = read_nonce(extensions->content);
    if (!nonce) return std::move(nonce).error();
    request.nonce = std::move(*nonce);
    return request;
}

Result<Bytes> make_ocsp_response(const Certificate& signer,
                                 const PrivateKey& key,
                                 const OcspContent& content) {
    Bytes answers;
    for (const auto& answer : content.answers) {
        const Bytes one = encode_answer(answer, content);
        answers.insert(answers.end(), one.begin(), one.end());
    }
    const Bytes responder =
        der::tlv(der::kOctetString, {key_identifier(signer.fields().public_key_der)});
    const Bytes data = der::sequence({der::tlv(der::context_constructed(2), {responder}),  // byKey
                                      generalized_time(content.produced),
                                      der::sequence({answers}),
                                      encode_nonce(content.nonce)});
    auto signed_data = sign_der(data, key);
    if (!signed_data) return signed_data;
    const auto inside = der::only(der::kSequence, *signed_data);
    if (!inside) return fail(Code::Internal, "a signature that is no DER");
    const Bytes certificates =
        der::tlv(der::context_constructed(0), {der::sequence({signer.der()})});
    const Bytes basic = der::sequence({*inside, certificates});
    const Bytes response = der::tlv(der::context_constructed(0),
                                    {der::sequence({der::tlv(der::kOid, {ByteView(kBasicOid)}),
                                                    der::tlv(der::kOctetString, {basic})})});
    return encode_response(0, response);
}

Bytes make_ocsp_error(OcspError error) {
    return encode_response(static_cast<std::uint8_t>(error), {});
}

}  // namespace hatchery::ca
