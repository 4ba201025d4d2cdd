#include "ca/seal.h"

#include "ca/digest.h"
#include "ca/openssl.h"

#include <openssl/kdf.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace hatchery::ca {

namespace {

// A sealed master key: magic, log2 N, r, p, salt | nonce, ciphertext, tag | first 8 octets of the
// SHA-256 of all before. The last part tells a damaged file from a wrong passphrase.
constexpr std::array<std::uint8_t, 4> kMagic{'H', 'W', 'K', '1'};
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHeaderSize = kMagic.size() + 3 + kSaltSize;
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kBoxSize = kNonceSize + kKeySize + kTagSize;
constexpr std::size_t kChecksumSize = 8;
constexpr std::uint8_t kLog2Cost = 15;  // 32 MiB and about 0.1 s a try
constexpr std::uint8_t kBlockSize = 8;
constexpr std::uint8_t kParallel = 1;

Error cannot(std::string_view what) {
    return fail(Code::Internal, std::string(what) + ": " + drain_openssl_errors());
}

Result<Secret> derive(const Secret& passphrase, ByteView salt) {
    Bytes key(kKeySize);
    const auto text = passphrase.text();
    clear_openssl_errors();
    const int made = EVP_PBE_scrypt(text.data(),
                                    text.size(),
                                    salt.data(),
                                    salt.size(),
                                    std::uint64_t{1} << kLog2Cost,
                                    kBlockSize,
                                    kParallel,
                                    std::uint64_t{64} << 20,
                                    key.data(),
                                    key.size());
    Secret secret(std::move(key));
    if (made != 1) return cannot("cannot derive a key");
    return secret;
}

/// AES-256-GCM: nonce, ciphertext, tag.
Result<Bytes> encrypt(const Secret& key, ByteView plain, ByteView label) {
    clear_openssl_errors();
    const CipherContextPtr context(EVP_CIPHER_CTX_new());
    Bytes out = random_bytes(kNonceSize);
    out.resize(kNonceSize + plain.size() + kTagSize);
    unsigned char* const body = out.data() + kNonceSize;
    int size = 0;
    const bool done =
        context != nullptr &&
        EVP_EncryptInit_ex(
            context.get(), EVP_aes_256_gcm(), nullptr, key.view().data(), out.data()) == 1 &&
        EVP_EncryptUpdate(
            context.get(), nullptr, &size, label.data(), static_cast<int>(label.size())) == 1 &&
        EVP_EncryptUpdate(
            context.get(), body, &size, plain.data(), static_cast<int>(plain.size())) == 1 &&
        EVP_EncryptFinal_ex(context.get(), body + plain.size(), &size) == 1 &&
        EVP_CIPHER_CTX_ctrl(context.get(),
                            EVP_CTRL_AEAD_GET_TAG,
                            static_cast<int>(kTagSize),
                            body + plain.size()) == 1;
    if (!done) return cannot("cannot encrypt");
    return out;
}

/// Nothing if the box was not made with this key and label.
std::optional<Secret> decrypt(const Secret& key, ByteView box, ByteView label) {
    if (box.size() < kNonceSize + kTagSize) return std::nullopt;
    const ByteView body = box.subspan(kNonceSize, box.size() - kNonceSize - kTagSize);
    Bytes tag = to_bytes(box.last(kTagSize));
    clear_openssl_errors();
    const CipherContextPtr context(EVP_CIPHER_CTX_new());
    Bytes plain(body.size() + 1);  // one more, so that data() is never null
    int size = 0;
    const bool done =
        context != nullptr &&
        EVP_DecryptInit_ex(
            context.get(), EVP_aes_256_gcm(), nullptr, key.view().data(), box.data()) == 1 &&
        EVP_DecryptUpdate(
            context.get(), nullptr, &size, label.data(), static_cast<int>(label.size())) == 1 &&
        EVP_DecryptUpdate(
            context.get(), plain.data(), &size, body.data(), static_cast<int>(body.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(
            context.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagSize), tag.data()) == 1 &&
        EVP_DecryptFinal_ex(context.get(), plain.data() + body.size(), &size) == 1;
    plain.resize(body.size());
    Secret secret(std::move(plain));
    clear_openssl_errors();
    if (!done) return std::nullopt;
    return secret;
}

ByteView checksum_of(const std::array<std::uint8_t, 32>& digest) {
    return ByteView(digest).first(kChecksumSize);
}

}  // namespace

WrapKey WrapKey::generate() {
    return WrapKey(Secret(random_bytes(kKeySize)));
}

Result<Bytes> WrapKey::seal(const Secret& passphrase) const {
    if (passphrase.empty()) {
        return fail(Code::InvalidRequest, "expected a passphrase that is not empty");
    }
    Bytes out(kMagic.begin(), kMagic.end());
    out.insert(out.end(), {kLog2Cost, kBlockSize, kParallel});
    const Bytes salt = random_bytes(kSaltSize);
    out.insert(out.end(), salt.begin(), salt.end());
    auto key = derive(passphrase, salt);
    if (!key) return std::move(key).error();
    auto box = encrypt(*key, key_.view(), out);
    if (!box) return std::move(box).error();
    out.insert(out.end(), box->begin(), box->end());
    const auto digest = sha256(out);
    out.insert(out.end(), checksum_of(digest).begin(), checksum_of(digest).end());
    return out;
}

Result<WrapKey> WrapKey::open(ByteView sealed, const Secret& passphrase) {
    const auto damaged = [] {
        return fail(Code::InvalidRequest, "the sealed master key is damaged");
    };
    if (sealed.size() != kHeaderSize + kBoxSize + kChecksumSize) return damaged();
    const ByteView body = sealed.first(kHeaderSize + kBoxSize);
    const auto digest = sha256(body);
    if (!std::ranges::equal(checksum_of(digest), sealed.last(kChecksumSize))) return damaged();
    const ByteView header = body.first(kHeaderSize);
    static constexpr std::array<std::uint8_t, 7> format{
        kMagic[0], kMagic[1], kMagic[2], kMagic[3], kLog2Cost, kBlockSize, kParallel};
    if (!std::ranges::equal(header.first(format.size()), format)) return damaged();
    if (passphrase.empty()) {
        return fail(Code::Unauthenticated, "the master key is encrypted and needs a passphrase");
    }
    auto key = derive(passphrase, header.last(kSaltSize));
    if (!key) return std::move(key).error();
    auto master = decrypt(*key, body.subspan(kHeaderSize), header);
    if (!master) {
        return fail(Code::Unauthenticated, "the passphrase does not open the master key");
    }
    return WrapKey(std::move(*master));
}

Result<Bytes> WrapKey::wrap(ByteView plain, std::string_view label) const {
    if (plain.size() > 1024UL * 1024) {
        return fail(Code::InvalidRequest, "expected at most 1048576 bytes to wrap");
    }
    return encrypt(key_, plain, bytes_of(label));
}

Result<Secret> WrapKey::unwrap(ByteView wrapped, std::string_view label) const {
    auto plain = wrapped.size() > 2UL * 1024 * 1024 ? std::optional<Secret>{}
                                                    : decrypt(key_, wrapped, bytes_of(label));
    if (!plain) {
        return fail(Code::Internal, "a wrapped secret is damaged or belongs to another name");
    }
    return std::move(*plain);
}

}  // namespace hatchery::ca
