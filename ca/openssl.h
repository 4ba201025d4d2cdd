// Private to ca/: owning handles over OpenSSL and its error queue. Nothing outside ca/ includes
// this.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/secret.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::ca {

/// The one deleter: calls `Free`, so that a handle is as small as the pointer.
template <auto Free>
struct OpensslDeleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
template <class T, auto Free>
using OpensslPtr = std::unique_ptr<T, OpensslDeleter<Free>>;

inline void free_extensions(STACK_OF(X509_EXTENSION) * extensions) {
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
inline void free_text(char* text) {
    OPENSSL_free(text);
}
inline void free_buffer(unsigned char* buffer) {
    OPENSSL_free(buffer);
}

using AlgorithmPtr = OpensslPtr<X509_ALGOR, X509_ALGOR_free>;
using BignumPtr = OpensslPtr<BIGNUM, BN_free>;
using BioPtr = OpensslPtr<BIO, BIO_free>;
using BufferPtr = OpensslPtr<unsigned char, free_buffer>;
using CipherContextPtr = OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestContextPtr = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using ExtensionsPtr = OpensslPtr<STACK_OF(X509_EXTENSION), free_extensions>;
using ObjectPtr = OpensslPtr<ASN1_OBJECT, ASN1_OBJECT_free>;
using Pkcs8Ptr = OpensslPtr<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using PkeyPtr = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using SealedKeyPtr = OpensslPtr<X509_SIG, X509_SIG_free>;
using TextPtr = OpensslPtr<char, free_text>;
using X509Ptr = OpensslPtr<X509, X509_free>;
using X509RequestPtr = OpensslPtr<X509_REQ, X509_REQ_free>;

/// Empties this thread's error queue before a call, so that what is found after it is the call's.
void clear_openssl_errors();
/// The reason of the first queued error ("bad decrypt"), and empties the queue. Never carries data
/// of the caller: only OpenSSL's fixed reason texts.
std::string drain_openssl_errors();

/// Dotted text of an object identifier.
std::string oid_text(const ASN1_OBJECT* object);
/// UTC seconds of an ASN.1 time, or nothing if it is malformed.
std::optional<Time> to_time(const ASN1_TIME* time);

/// What a SubjectPublicKeyInfo holds, for certificates and requests alike.
struct KeyInfo {
    Bytes der;
    std::string algorithm;  ///< "RSA", "EC", "ED25519", otherwise OpenSSL's name or the dotted OID
    int bits = 0;           ///< 0 if the key cannot be read
    std::string curve;      ///< only for a curve given by name
};
KeyInfo read_key_info(X509_PUBKEY* key);

/// One PEM block, own reader: any line length, text around blocks is skipped (RFC 7468 section 2).
struct PemBlock {
    std::string label;
    Bytes der;
};
/// The next block at or after `at`, which then points behind it; nothing if there is no further
/// BEGIN line.
/// @errors InvalidRequest  no END line of the same label, or content that is not base64
Result<std::optional<PemBlock>> next_pem_block(std::string_view pem, std::size_t& at);
/// "-----BEGIN label-----", base64 in lines of 64, END; the intermediate text is wiped.
std::string pem_text(std::string_view label, ByteView der);

/// `call(nullptr)` gives the size, `call(&pointer)` writes: the i2d convention, as bytes.
template <class Call>
Bytes encode_openssl(Call call) {
    const int size = call(nullptr);
    if (size <= 0) return {};
    Bytes out(static_cast<std::size_t>(size));
    unsigned char* cursor = out.data();
    call(&cursor);
    return out;
}

}  // namespace hatchery::ca
