#include "ca/key.h"

#include "ca/der.h"
#include "ca/digest.h"
#include "ca/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxPem = 64UL * 1024;
/// OpenSSL's own default; a higher N passes the 32 MiB that its PKCS#8 reader allows scrypt.
constexpr std::uint64_t kScryptCost = 16384;

struct KindName {
    KeyKind kind;
    std::string_view name;
    std::string_view plain;
};
constexpr std::array<KindName, 6> kKinds{{{KeyKind::Rsa2048, "RSA-2048", "rsa2048"},
                                          {KeyKind::Rsa3072, "RSA-3072", "rsa3072"},
                                          {KeyKind::Rsa4096, "RSA-4096", "rsa4096"},
                                          {KeyKind::P256, "P-256", "p256"},
                                          {KeyKind::P384, "P-384", "p384"},
                                          {KeyKind::Ed25519, "Ed25519", "ed25519"}}};

// RFC 5480: SubjectPublicKeyInfo of an uncompressed point on P-256, but for the point.
constexpr std::array<std::uint8_t, 26> kP256PublicKey{
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
// RFC 5915: ECPrivateKey of P-256 up to the private key, and from there to the point.
constexpr std::array<std::uint8_t, 7> kP256PrivateKey{0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 17> kP256AfterPrivateKey{0xa0,
                                                            0x0a,
                                                            0x06,
                                                            0x08,
                                                            0x2a,
                                                            0x86,
                                                            0x48,
                                                            0xce,
                                                            0x3d,
                                                            0x03,
                                                            0x01,
                                                            0x07,
                                                            0xa1,
                                                            0x44,
                                                            0x03,
                                                            0x42,
                                                            0x00};
constexpr std::size_t kP256Scalar = 32;

struct P256Point {
    std::array<unsigned char, 65> bytes{};
    ByteView view() const { return {bytes.data(), bytes.size()}; }
};

/// The point of a key on P-256 that is written uncompressed, as nearly all are; none of any other.
/// OpenSSL 3.0 takes 80 us to find out how to write such a key.
std::optional<P256Point> p256_point(const EVP_PKEY* key) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_bits(key) != 256) return {};
    P256Point point;
    std::array<char, 32> group{};
    std::array<char, 32> form{};
    std::array<OSSL_PARAM, 4> wanted{
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
        OSSL_PARAM_construct_utf8_string(
            OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, form.data(), form.size()),
        OSSL_PARAM_construct_octet_string(
            OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point.bytes.data(), point.bytes.size()),
        OSSL_PARAM_construct_end()};
    const bool is_known = EVP_PKEY_get_params(key, wanted.data()) == 1 &&
                          std::string_view(group.data()) == SN_X9_62_prime256v1 &&
                          std::string_view(form.data()) == "uncompressed" &&
                          wanted[2].return_size == point.bytes.size();
    clear_openssl_errors();
    return is_known ? std::optional(point) : std::nullopt;
}

Bytes p256_public_key_der(const P256Point& point) {
    Bytes der(kP256PublicKey.size() + point.bytes.size());
    std::copy(point.bytes.begin(),
              point.bytes.end(),
              std::copy(kP256PublicKey.begin(), kP256PublicKey.end(), der.begin()));
    return der;
}

/// Empty if OpenSSL does not give the private key.
Bytes p256_private_key_der(const EVP_PKEY* key, const P256Point& point) {
    Bytes der(kP256PrivateKey.size() + kP256Scalar + kP256AfterPrivateKey.size() +
              point.bytes.size());
    const auto scalar = std::copy(kP256PrivateKey.begin(), kP256PrivateKey.end(), der.begin());
    // An unsigned integer of OSSL_PARAM(3): in this machine's order of bytes.
    std::array<OSSL_PARAM, 2> wanted{
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, &*scalar, kP256Scalar),
        OSSL_PARAM_construct_end()};
    if (EVP_PKEY_get_params(key, wanted.data()) != 1) return {};
    const auto after = scalar + static_cast<std::ptrdiff_t>(kP256Scalar);
    if constexpr (std::endian::native == std::endian::little) std::reverse(scalar, after);
    std::copy(point.bytes.begin(),
              point.bytes.end(),
              std::copy(kP256AfterPrivateKey.begin(), kP256AfterPrivateKey.end(), after));
    return der;
}

/// One PEM block as OpenSSL's reader gives it; the content is wiped, as it may be a plain key.
struct SecretBlock {
    SecretBlock() = default;
    SecretBlock(const SecretBlock&) = delete;
    SecretBlock& operator=(const SecretBlock&) = delete;
    ~SecretBlock() {
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, static_cast<std::size_t>(size));
    }
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
};

/// OpenSSL's passphrase callback: `user` is the Secret. -1 refuses, so that nothing ever prompts.
int give_passphrase(char* buffer, int size, int /*writing*/, void* user) {
    const auto& passphrase = *static_cast<const Secret*>(user);
    const auto text = passphrase.text();
    if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(buffer, text.data(), text.size());
    return static_cast<int>(text.size());
}

Error needs_passphrase() {
    return fail(Code::Unauthenticated, "the private key is encrypted and needs a passphrase");
}

Error damaged() {
    return fail(Code::InvalidRequest, "the private key is damaged: " + drain_openssl_errors());
}

Result<PkeyPtr> from_pkcs8(Pkcs8Ptr info) {
    if (!info) return damaged();
    PkeyPtr key(EVP_PKCS82PKEY(info.get()));
    if (!key) return damaged();
    return key;
}

/// The value of an INTEGER, nothing if it is none or does not fit.
std::optional<std::uint64_t> small_value(const std::optional<der::Element>& element) {
    if (!element || !der::is_integer(element->content) || element->content.size() > 8 ||
        (element->content[0] & 0x80) != 0) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const auto octet : element->content)
        value = value << 8 | octet;
    return value;
}

/// How much work a file may ask for before its passphrase is known to be right. A hostile one with
/// 2^31 iterations would keep a core for twenty minutes.
bool is_kdf_affordable(ByteView algorithm) {
    static constexpr std::uint64_t most_iterations = 10'000'000;   // about three seconds
    static constexpr std::uint64_t most_scrypt_work = 1ULL << 20;  // N * r * p; the default is 2^17
    static constexpr std::array<std::uint8_t, 9> pbes2{
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d};
    static constexpr std::array<std::uint8_t, 9> scrypt{
        0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b};
    der::Reader reader(algorithm);
    const auto type = reader.next_if(der::kOid);
    const auto parameters = reader.next_if(der::kSequence);
    if (!type || !parameters) return false;
    der::Reader inside(parameters->content);
    if (!std::ranges::equal(type->content, pbes2)) {
        // PBES1 and PKCS#12's: SEQUENCE { salt, iterations }.
        static_cast<void>(inside.next_if(der::kOctetString));
        const auto iterations = small_value(inside.next_if(der::kInteger));
        return iterations && *iterations <= most_iterations;
    }
    const auto kdf = inside.next_if(der::kSequence);
    if (!kdf) return false;
    der::Reader function(kdf->content);
    const auto kind = function.next_if(der::kOid);
    const auto values = function.next_if(der::kSequence);
    if (!kind || !values) return false;
    der::Reader value(values->content);
    static_cast<void>(value.next_if(der::kOctetString));
    const auto first = small_value(value.next_if(der::kInteger));
    if (!first) return false;
    if (!std::ranges::equal(kind->content, scrypt)) return *first <= most_iterations;
    const auto block_size = small_value(value.next_if(der::kInteger));
    const auto parallel = small_value(value.next_if(der::kInteger));
    if (!block_size || !parallel) return false;
    std::uint64_t work = 1;
    for (const auto factor : {*first, *block_size, *parallel}) {
        if (factor == 0 || factor > most_scrypt_work / work) return false;
        work *= factor;
    }
    return true;
}

Result<PkeyPtr> read_encrypted_pkcs8(const SecretBlock& block, const Secret& passphrase) {
    if (passphrase.empty()) return needs_passphrase();
    const ByteView whole(block.data, static_cast<std::size_t>(block.size));
    const auto outer = der::only(der::kSequence, whole);
    if (!outer) return damaged();
    const auto algorithm = der::Reader(*outer).next_if(der::kSequence);
    if (!algorithm || !is_kdf_affordable(algorithm->content)) {
        return fail(Code::InvalidRequest,
                    "the private key's encryption asks for too much work to open it: expected at "
                    "most 10000000 iterations, or scrypt with N*r*p of at most 1048576");
    }
    const unsigned char* cursor = block.data;
    const SealedKeyPtr sealed(d2i_X509_SIG(nullptr, &cursor, block.size));
    if (!sealed) return damaged();
    const auto text = passphrase.text();
    Pkcs8Ptr info(PKCS8_decrypt(sealed.get(), text.data(), static_cast<int>(text.size())));
    if (!info) {
        clear_openssl_errors();
        return fail(Code::Unauthenticated, "the passphrase does not open the private key");
    }
    return from_pkcs8(std::move(info));
}

/// "RSA PRIVATE KEY" and "EC PRIVATE KEY", which may be encrypted the old way (RFC 1421 headers).
Result<PkeyPtr> read_traditional(SecretBlock& block, int type, const Secret& passphrase) {
    EVP_CIPHER_INFO cipher{};
    if (PEM_get_EVP_CIPHER_INFO(block.header, &cipher) != 1) return damaged();
    if (cipher.cipher != nullptr) {
        if (passphrase.empty()) return needs_passphrase();
        Secret copy = passphrase.duplicate();
        if (PEM_do_header(&cipher, block.data, &block.size, give_passphrase, &copy) != 1) {
            clear_openssl_errors();
            return fail(Code::Unauthenticated, "the passphrase does not open the private key");
        }
    }
    const unsigned char* cursor = block.data;
    PkeyPtr key(d2i_PrivateKey(type, nullptr, &cursor, block.size));
    if (!key) return damaged();
    return key;
}

Result<PkeyPtr> read_block(SecretBlock& block, const Secret& passphrase) {
    const std::string_view label = block.label;
    if (label == "ENCRYPTED PRIVATE KEY") return read_encrypted_pkcs8(block, passphrase);
    if (label == "RSA PRIVATE KEY") return read_traditional(block, EVP_PKEY_RSA, passphrase);
    if (label == "EC PRIVATE KEY") return read_traditional(block, EVP_PKEY_EC, passphrase);
    const unsigned char* cursor = block.data;
    return from_pkcs8(Pkcs8Ptr(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &cursor, block.size)));
}

Error stays_in_device() {
    return fail(Code::InvalidRequest, "the private key cannot leave its device");
}

bool is_private_key(std::string_view label) {
    return label == "PRIVATE KEY" || label == "ENCRYPTED PRIVATE KEY" ||
           label == "RSA PRIVATE KEY" || label == "EC PRIVATE KEY";
}

bool is_known_type(const EVP_PKEY* key) {
    const int type = EVP_PKEY_get_base_id(key);
    return type == EVP_PKEY_RSA || type == EVP_PKEY_EC || type == EVP_PKEY_ED25519;
}

}  // namespace

std::string_view to_string(KeyKind kind) {
    for (const auto& row : kKinds) {
        if (row.kind == kind) return row.name;
    }
    return "unknown";
}

Result<KeyKind> parse_key_kind(std::string_view text) {
    for (const auto& row : kKinds) {
        if (row.name == text || row.plain == text) return row.kind;
    }
    return fail(Code::InvalidRequest,
                "expected a key kind (rsa2048, rsa3072, rsa4096, p256, p384, ed25519), found \"" +
                    std::string(text.substr(0, 40)) + "\"");
}

Result<PrivateKey> PrivateKey::generate(KeyKind kind) {
    clear_openssl_errors();
    const auto rsa = [](std::size_t bits) {
        return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits));
    };
    const auto ec = [](const char* curve) {
        return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
    };
    PkeyPtr key;
    switch (kind) {
        case KeyKind::Rsa2048:
            key = rsa(2048);
            break;
        case KeyKind::Rsa3072:
            key = rsa(3072);
            break;
        case KeyKind::Rsa4096:
            key = rsa(4096);
            break;
        case KeyKind::P256:
            key = ec("P-256");
            break;
        case KeyKind::P384:
            key = ec("P-384");
            break;
        case KeyKind::Ed25519:
            key = PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
            break;
    }
    if (!key) return fail(Code::Internal, "cannot make a key: " + drain_openssl_errors());
    return PrivateKey(std::shared_ptr<evp_pkey_st>(std::move(key)));
}

Result<PrivateKey> PrivateKey::in_device(ByteView public_key_der,
                                         std::shared_ptr<const KeyDevice> device) {
    clear_openssl_errors();
    const unsigned char* cursor = public_key_der.data();
    PkeyPtr key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(public_key_der.size())));
    if (!key || device == nullptr) {
        return fail(Code::InvalidRequest,
                    "the device's public key cannot be read: " + drain_openssl_errors());
    }
    return PrivateKey(std::shared_ptr<evp_pkey_st>(std::move(key)), std::move(device));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem, const Secret& passphrase) {
    if (pem.size() > kMaxPem) {
        return fail(Code::InvalidRequest,
                    "expected a private key file of at most 65536 bytes, found " +
                        std::to_string(pem.size()));
    }
    clear_openssl_errors();
    const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) return fail(Code::Internal, drain_openssl_errors());
    for (;;) {
        SecretBlock block;
        if (PEM_read_bio(bio.get(), &block.label, &block.header, &block.data, &block.size) != 1) {
            clear_openssl_errors();
            return fail(Code::InvalidRequest, "expected a PEM private key, found none");
        }
        if (!is_private_key(block.label)) continue;
        auto key = read_block(block, passphrase);
        if (!key) return std::move(key).error();
        if (!is_known_type(key->get())) {
            return fail(Code::InvalidRequest, "expected an RSA, EC or Ed25519 private key");
        }
        clear_openssl_errors();
        return PrivateKey(std::shared_ptr<evp_pkey_st>(std::move(*key)));
    }
}

Result<std::string> PrivateKey::to_encrypted_pem(const Secret& passphrase) const {
    if (!is_in_memory()) return stays_in_device();
    if (passphrase.empty()) {
        return fail(Code::InvalidRequest, "expected a passphrase that is not empty");
    }
    clear_openssl_errors();
    const Pkcs8Ptr plain(EVP_PKEY2PKCS8(handle_.get()));
    Bytes salt = random_bytes(16);
    AlgorithmPtr pbe(PKCS5_pbe2_set_scrypt(
        EVP_aes_256_cbc(), salt.data(), static_cast<int>(salt.size()), nullptr, kScryptCost, 8, 1));
    if (!plain || !pbe) return fail(Code::Internal, drain_openssl_errors());
    const auto text = passphrase.text();
    const SealedKeyPtr sealed(
        PKCS8_set0_pbe(text.data(), static_cast<int>(text.size()), plain.get(), pbe.get()));
    if (!sealed) return fail(Code::Internal, drain_openssl_errors());
    static_cast<void>(pbe.release());  // set0: the sealed key owns it now
    return pem_text("ENCRYPTED PRIVATE KEY", encode_openssl([&](unsigned char** out) {
                        return i2d_X509_SIG(sealed.get(), out);
                    }));
}

Result<Secret> PrivateKey::to_plain_pem() const {
    if (!is_in_memory()) return stays_in_device();
    clear_openssl_errors();
    const int type = EVP_PKEY_get_base_id(handle_.get());
    Bytes der;
    std::string_view label = "PRIVATE KEY";
    if (type == EVP_PKEY_RSA || type == EVP_PKEY_EC) {
        label = type == EVP_PKEY_RSA ? "RSA PRIVATE KEY" : "EC PRIVATE KEY";
        if (const auto point = p256_point(handle_.get())) {
            der = p256_private_key_der(handle_.get(), *point);
        } else {
            der = encode_openssl(
                [this](unsigned char** out) { return i2d_PrivateKey(handle_.get(), out); });
        }
    } else if (const Pkcs8Ptr info(EVP_PKEY2PKCS8(handle_.get())); info) {
        der = encode_openssl(
            [&](unsigned char** out) { return i2d_PKCS8_PRIV_KEY_INFO(info.get(), out); });
    }
    if (der.empty()) return fail(Code::Internal, drain_openssl_errors());
    const Secret wiped(std::move(der));
    std::string text = pem_text(label, wiped.view());
    return Secret::take(text);
}

std::string PrivateKey::public_key_pem() const {
    return pem_text("PUBLIC KEY", public_key_der());
}

Bytes PrivateKey::public_key_der() const {
    if (const auto point = p256_point(handle_.get())) return p256_public_key_der(*point);
    Bytes der =
        encode_openssl([this](unsigned char** out) { return i2d_PUBKEY(handle_.get(), out); });
    if (der.empty()) std::abort();  // a key that was made or read always has a public half
    return der;
}

}  // namespace hatchery::ca
