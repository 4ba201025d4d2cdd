#include "ca/public_key.h"

#include "ca/der.h"
#include "ca/digest.h"
#include "ca/openssl.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <bit>

namespace hatchery::ca {

namespace {

using ParamBuilderPtr = OpensslPtr<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using ParamsPtr = OpensslPtr<OSSL_PARAM, OSSL_PARAM_free>;
using KeyContextPtr = OpensslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

constexpr std::size_t kMinRsaBytes = 2048 / 8;
constexpr std::size_t kMaxRsaBytes = 4096 / 8;
constexpr std::size_t kMaxExponentBytes =
    8;  // OpenSSL verifies with no longer one above 3,072 bits
constexpr std::size_t kEd25519Bytes = 32;

// Contents of object identifiers, as they are encoded.
constexpr std::array<std::uint8_t, 9> kOidRsa{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr std::array<std::uint8_t, 7> kOidEc{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<std::uint8_t, 3> kOidEd25519{0x2b, 0x65, 0x70};
constexpr std::array<std::uint8_t, 8> kOidP256{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<std::uint8_t, 5> kOidP384{0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr std::array<std::uint8_t, 5> kOidP521{0x2b, 0x81, 0x04, 0x00, 0x23};

constexpr std::array<std::uint8_t, 2> kNull{0x05, 0x00};

bool same(ByteView a, ByteView b) {
    return std::ranges::equal(a, b);
}

/// OpenSSL's short name of an object, its dotted form where it has none.
std::string object_name(ByteView oid) {
    const Bytes whole = der::tlv(der::kOid, {oid});
    const unsigned char* cursor = whole.data();
    const ObjectPtr object(d2i_ASN1_OBJECT(nullptr, &cursor, static_cast<long>(whole.size())));
    clear_openssl_errors();
    if (!object) return "unknown";
    const int nid = OBJ_obj2nid(object.get());
    return nid == NID_undef ? oid_text(object.get()) : OBJ_nid2sn(nid);
}

/// A key that holds the curve alone, to be copied and given a point. Never freed.
EVP_PKEY* empty_p384_key() {
    const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
    if (!context || !builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0) !=
            1) {
        return nullptr;
    }
    const ParamsPtr parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    EVP_PKEY* key = nullptr;
    if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEY_PARAMETERS, parameters.get()) != 1) {
        return nullptr;
    }
    return key;
}

PkeyPtr p384_key(ByteView point) {
    static EVP_PKEY* const empty = empty_p384_key();
    // RFC 5480 2.2: uncompressed or compressed; the hybrid form is forbidden, infinity is no key.
    static constexpr std::size_t field = 48;
    const bool uncompressed = point.size() == 1 + 2 * field && point[0] == 4;
    const bool compressed = point.size() == 1 + field && (point[0] == 2 || point[0] == 3);
    if (!uncompressed && !compressed) return nullptr;
    PkeyPtr key(EVP_PKEY_dup(empty));
    // Checks that the point is on the curve, whose cofactor is 1, so that is enough.
    if (!key || EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) != 1) {
        return nullptr;
    }
    return key;
}

PkeyPtr rsa_key(ByteView modulus, ByteView exponent) {
    const BignumPtr n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
    const BignumPtr e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
    const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
    const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    if (!n || !e || !builder || !context ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
        return nullptr;
    }
    const ParamsPtr parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    EVP_PKEY* key = nullptr;
    if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return nullptr;
    }
    return PkeyPtr(key);
}

/// The magnitude of a positive INTEGER, nothing if it is none.
std::optional<ByteView> positive(const std::optional<der::Element>& element) {
    if (!element || !der::is_integer(element->content)) return std::nullopt;
    ByteView magnitude = element->content;
    if ((magnitude[0] & 0x80) != 0) return std::nullopt;
    if (magnitude[0] == 0) magnitude = magnitude.subspan(1);
    if (magnitude.empty()) return std::nullopt;
    return magnitude;
}

/// RSAPublicKey (RFC 8017 A.1.1). The parameters are NULL (RFC 3279 2.3.1).
void read_rsa(ByteView parameters, ByteView bits, PublicKey& key) {
    key.algorithm = "RSA";
    const auto content = der::only(der::kSequence, bits);
    if (!content || !same(parameters, kNull)) return;
    der::Reader reader(*content);
    const auto modulus = positive(reader.next_if(der::kInteger));
    const auto exponent = positive(reader.next_if(der::kInteger));
    if (!modulus || !exponent || !reader.done()) return;
    key.modulus = to_bytes(*modulus);
    key.exponent = to_bytes(*exponent);
    key.bits = static_cast<int>(modulus->size() * 8) - std::countl_zero((*modulus)[0]);
    // Outside these bounds nothing is computed with it, so a key of 16,384 bits costs nothing.
    if (modulus->size() < kMinRsaBytes || modulus->size() > kMaxRsaBytes ||
        exponent->size() > kMaxExponentBytes) {
        return;
    }
    if (PkeyPtr handle = rsa_key(*modulus, *exponent); handle) {
        key.handle = std::shared_ptr<EVP_PKEY>(std::move(handle));
    } else {
        key.bits = 0;
    }
}

/// RFC 5480: the curve by name; explicit parameters leave `curve` empty.
void read_ec(ByteView parameters, ByteView point, PublicKey& key) {
    key.algorithm = "EC";
    const auto curve = der::only(der::kOid, parameters);
    if (!curve) return;
    if (same(*curve, kOidP521)) {
        key.curve = "P-521";
        return;
    }
    if (same(*curve, kOidP256)) {
        key.curve = "P-256";
        key.point = p256::read_point(point);
        key.bits = key.point ? 256 : 0;
        return;
    }
    if (!same(*curve, kOidP384)) {
        key.curve = object_name(*curve);
        return;
    }
    key.curve = "P-384";
    if (PkeyPtr handle = p384_key(point); handle) {
        key.bits = 384;
        key.handle = std::shared_ptr<EVP_PKEY>(std::move(handle));
    }
}

/// RFC 8410: no parameters, 32 octets.
void read_ed25519(ByteView parameters, ByteView bits, PublicKey& key) {
    key.algorithm = "ED25519";
    if (!parameters.empty() || bits.size() != kEd25519Bytes) return;
    PkeyPtr handle(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bits.data(), bits.size()));
    if (!handle) return;
    key.bits = 256;
    key.handle = std::shared_ptr<EVP_PKEY>(std::move(handle));
}

Error malformed_key() {
    return fail(Code::InvalidRequest, "malformed SubjectPublicKeyInfo");
}

}  // namespace

Result<PublicKey> read_public_key(ByteView subject_public_key_info) {
    const auto content = der::only(der::kSequence, subject_public_key_info);
    if (!content) return malformed_key();
    der::Reader reader(*content);
    const auto algorithm = reader.next_if(der::kSequence);
    const auto bits = reader.next_if(der::kBitString);
    if (!algorithm || !bits || !reader.done() || !der::is_bit_string(bits->content)) {
        return malformed_key();
    }
    der::Reader inside(algorithm->content);
    const auto type = inside.next_if(der::kOid);
    if (!type || !der::is_oid(type->content)) return malformed_key();
    ByteView parameters;
    if (!inside.done()) {
        const auto any = inside.next();
        if (!any || !inside.done() || !der::is_any(*any)) return malformed_key();
        parameters = any->whole;
    }
    PublicKey key;
    const ByteView key_bits = bits->content.subspan(1);
    const bool whole_octets = bits->content[0] == 0;
    clear_openssl_errors();
    if (same(type->content, kOidRsa)) {
        read_rsa(parameters, key_bits, key);
    } else if (same(type->content, kOidEc)) {
        read_ec(parameters, key_bits, key);
    } else if (same(type->content, kOidEd25519)) {
        read_ed25519(parameters, key_bits, key);
    } else {
        key.algorithm = object_name(type->content);
    }
    clear_openssl_errors();
    if (!whole_octets) {
        key.bits = 0;
        key.point.reset();
        key.handle.reset();
    }
    return key;
}

namespace {

struct KnownSignature {
    int key_type;
    const EVP_MD* (*digest)();
    std::array<std::uint8_t, 15> algorithm;
    std::size_t size;
};

const EVP_MD* no_digest() {
    return nullptr;
}

bool verify_p256(const ec_point_st& key,
                 const EVP_MD* algorithm,
                 ByteView message,
                 ByteView signature) {
    // By its name, as below, OpenSSL looks an algorithm up each time.
    if (algorithm == EVP_sha256()) return p256::verify(key, sha256(message), signature);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    return EVP_Digest(message.data(), message.size(), digest.data(), &size, algorithm, nullptr) ==
               1 &&
           p256::verify(key, ByteView(digest).first(size), signature);
}

// AlgorithmIdentifiers as RFC 4055 (RSA: with NULL), RFC 5758 (ECDSA: without) and RFC 8410 say.
constexpr std::array<KnownSignature, 7> kSignatures{
    {{EVP_PKEY_EC,
      EVP_sha256,
      {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02},
      12},
     {EVP_PKEY_EC,
      EVP_sha384,
      {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03},
      12},
     {EVP_PKEY_EC,
      EVP_sha512,
      {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04},
      12},
     {EVP_PKEY_RSA,
      EVP_sha256,
      {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00},
      15},
     {EVP_PKEY_RSA,
      EVP_sha384,
      {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00},
      15},
     {EVP_PKEY_RSA,
      EVP_sha512,
      {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 0x05, 0x00},
      15},
     {EVP_PKEY_ED25519, no_digest, {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70}, 7}}};

}  // namespace

Verification verify(const PublicKey& key,
                    ByteView algorithm,
                    ByteView message,
                    ByteView signature) {
    const auto known = std::ranges::find_if(kSignatures, [&](const KnownSignature& row) {
        return same(ByteView(row.algorithm).first(row.size), algorithm);
    });
    if (known == kSignatures.end()) return Verification::UnknownAlgorithm;
    clear_openssl_errors();
    if (key.point) {
        const bool good = known->key_type == EVP_PKEY_EC &&
                          verify_p256(*key.point, known->digest(), message, signature);
        clear_openssl_errors();
        return good ? Verification::Good : Verification::Bad;
    }
    if (!key.handle || EVP_PKEY_get_base_id(key.handle.get()) != known->key_type) {
        return Verification::Bad;
    }
    const DigestContextPtr context(EVP_MD_CTX_new());
    const bool good =
        context != nullptr &&
        EVP_DigestVerifyInit(context.get(), nullptr, known->digest(), nullptr, key.handle.get()) ==
            1 &&
        EVP_DigestVerify(
            context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
    clear_openssl_errors();
    return good ? Verification::Good : Verification::Bad;
}

}  // namespace hatchery::ca
