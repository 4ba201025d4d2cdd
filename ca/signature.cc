#include "ca/signature.h"

#include "ca/der.h"
#include "ca/openssl.h"

#include <array>

namespace hatchery::ca {

namespace {

/// How a kind of key signs: AlgorithmIdentifier in DER, and the digest (none for Ed25519).
struct SignatureScheme {
    ByteView algorithm;
    const EVP_MD* digest = nullptr;
};

constexpr std::array<std::uint8_t, 12> kEcdsaSha256{
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr std::array<std::uint8_t, 12> kEcdsaSha384{
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
constexpr std::array<std::uint8_t, 12> kEcdsaSha512{
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04};
constexpr std::array<std::uint8_t, 15> kRsaSha256{
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
constexpr std::array<std::uint8_t, 7> kEd25519{0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};

Result<SignatureScheme> scheme_of(const EVP_PKEY* key) {
    const int type = EVP_PKEY_get_base_id(key);
    const int bits = EVP_PKEY_get_bits(key);
    if (type == EVP_PKEY_ED25519) return SignatureScheme{kEd25519, nullptr};
    if (type == EVP_PKEY_RSA && bits >= 2048) return SignatureScheme{kRsaSha256, EVP_sha256()};
    if (type == EVP_PKEY_EC && bits == 256) return SignatureScheme{kEcdsaSha256, EVP_sha256()};
    if (type == EVP_PKEY_EC && bits == 384) return SignatureScheme{kEcdsaSha384, EVP_sha384()};
    if (type == EVP_PKEY_EC && bits == 521) return SignatureScheme{kEcdsaSha512, EVP_sha512()};
    return fail(Code::InvalidRequest,
                "expected a signing key of RSA (2048 bits or more), P-256, P-384, P-521 or "
                "Ed25519");
}

}  // namespace

Result<ByteView> signature_algorithm(const PrivateKey& key) {
    auto scheme = scheme_of(key.handle());
    if (!scheme) return std::move(scheme).error();
    return scheme->algorithm;
}

PrivateKey::PrivateKey(std::shared_ptr<evp_pkey_st> handle, std::shared_ptr<const KeyDevice> device)
    : handle_(std::move(handle)), device_(std::move(device)) {
    const auto scheme = scheme_of(handle_.get());
    if (device_ || !scheme) return;
    DigestContextPtr context(EVP_MD_CTX_new());
    if (context &&
        EVP_DigestSignInit(context.get(), nullptr, scheme->digest, nullptr, handle_.get()) == 1) {
        signing_ = std::shared_ptr<const EVP_MD_CTX>(std::move(context));
    }
    clear_openssl_errors();
}

Result<Bytes> PrivateKey::sign(ByteView message) const {
    if (device_) return device_->sign(message);
    if (auto scheme = scheme_of(handle()); !scheme) return std::move(scheme).error();
    clear_openssl_errors();
    const DigestContextPtr context(EVP_MD_CTX_new());
    std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(handle()));
    Bytes signature(size);
    const bool done =
        context && signing_ && EVP_MD_CTX_copy_ex(context.get(), signing_.get()) == 1 &&
        EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1;
    if (!done) return fail(Code::Internal, "cannot sign: " + drain_openssl_errors());
    signature.resize(size);
    return signature;
}

Result<Bytes> sign_der(ByteView to_be_signed, const PrivateKey& key) {
    auto algorithm = signature_algorithm(key);
    if (!algorithm) return std::move(algorithm).error();
    auto signature = key.sign(to_be_signed);
    if (!signature) return std::move(signature).error();
    return der::sequence({to_be_signed, *algorithm, der::bit_string(*signature)});
}

}  // namespace hatchery::ca
