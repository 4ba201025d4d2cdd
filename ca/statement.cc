#include "ca/statement.h"

#include "ca/der.h"
#include "ca/openssl.h"
#include "ca/signature.h"

#include <array>

namespace hatchery::ca {

namespace {

/// 1.2.840.113549.1.7.2 and .1 (RFC 5652).
constexpr std::string_view kSignedData = "1.2.840.113549.1.7.2";
constexpr std::string_view kData = "1.2.840.113549.1.7.1";

const EVP_MD* digest_of(const EVP_PKEY* key) {
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return nullptr;
    const bool is_ec = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    if (is_ec && EVP_PKEY_get_bits(key) == 384) return EVP_sha384();
    if (is_ec && EVP_PKEY_get_bits(key) == 521) return EVP_sha512();
    return EVP_sha256();
}

}  // namespace

Result<Bytes> sign_text(const PrivateKey& key, std::string_view text) {
    auto whole = sign_der(bytes_of(text), key);
    if (!whole) return whole;
    // SEQUENCE { text as it is, algorithm, BIT STRING }: the text is no DER, so it is stepped over.
    const auto inside = der::only(der::kSequence, *whole);
    if (!inside || inside->size() < text.size()) return fail(Code::Internal, "no signature");
    der::Reader rest(inside->subspan(text.size()));
    const auto algorithm = rest.next_if(der::kSequence);
    const auto bits = rest.next_if(der::kBitString);
    if (!algorithm || !bits || bits->content.empty()) return fail(Code::Internal, "no signature");
    return to_bytes(bits->content.subspan(1));
}

Result<> verify_text(const Certificate& signer, std::string_view text, ByteView signature) {
    clear_openssl_errors();
    EVP_PKEY* key = X509_get0_pubkey(signer.handle());
    const DigestContextPtr context(EVP_MD_CTX_new());
    const ByteView bytes = bytes_of(text);
    const bool is_good =
        key != nullptr && context != nullptr &&
        EVP_DigestVerifyInit(context.get(), nullptr, digest_of(key), nullptr, key) == 1 &&
        EVP_DigestVerify(
            context.get(), signature.data(), signature.size(), bytes.data(), bytes.size()) == 1;
    clear_openssl_errors();
    if (is_good) return {};
    return fail(
        Code::CertificateInvalid,
        "the signature is not one of " + signer.fields().subject.to_string() + " over this text");
}

Result<Secret> plain_pkcs8(const PrivateKey& key) {
    // The other form refuses what must not leave its device; it is wiped at once.
    if (auto may_leave = key.to_plain_pem(); !may_leave) return std::move(may_leave).error();
    clear_openssl_errors();
    const Pkcs8Ptr info(EVP_PKEY2PKCS8(key.handle()));
    if (!info) return fail(Code::Internal, drain_openssl_errors());
    return Secret(encode_openssl(
        [&](unsigned char** out) { return i2d_PKCS8_PRIV_KEY_INFO(info.get(), out); }));
}

Bytes certs_only(const std::vector<Certificate>& certificates) {
    Bytes all;
    for (const auto& certificate : certificates)
        all.insert(all.end(), certificate.der().begin(), certificate.der().end());
    const Bytes signed_data = der::sequence({der::small_integer(1),
                                             der::tlv(der::kSet, {}),
                                             der::sequence({der::oid(kData).value_or(Bytes{})}),
                                             der::tlv(der::context_constructed(0), {all}),
                                             der::tlv(der::kSet, {})});
    return der::sequence({der::oid(kSignedData).value_or(Bytes{}),
                          der::tlv(der::context_constructed(0), {signed_data})});
}

}  // namespace hatchery::ca
