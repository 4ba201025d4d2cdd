#include "ca/key_container.h"

#include "ca/openssl.h"

#include <openssl/cms.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

namespace hatchery::ca {

namespace {

using CmsPtr = OpensslPtr<CMS_ContentInfo, CMS_ContentInfo_free>;
using Pkcs12Ptr = OpensslPtr<PKCS12, PKCS12_free>;

constexpr int kIterations = 100'000;  // of PBKDF2

void free_certificates(STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
}
using CertificatesPtr = OpensslPtr<STACK_OF(X509), free_certificates>;

BioPtr memory_of(std::string_view text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Error cms_error(std::string_view doing) {
    return fail(Code::Internal, std::string(doing) + ": " + drain_openssl_errors());
}

/// The certificate of `pem`, or one made around its public key: CMS names a recipient by issuer and
/// serial number, and whoever holds the key tries it without them.
Result<X509Ptr> recipient_of(std::string_view pem) {
    clear_openssl_errors();
    const BioPtr certificate_text = memory_of(pem);
    if (X509Ptr certificate{PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr)}) {
        return certificate;
    }
    clear_openssl_errors();
    const BioPtr key_text = memory_of(pem);
    const PkeyPtr key(PEM_read_bio_PUBKEY(key_text.get(), nullptr, nullptr, nullptr));
    clear_openssl_errors();
    if (!key) {
        return fail(Code::InvalidRequest,
                    "expected a certificate or a public key, PEM, found something else");
    }
    X509Ptr made(X509_new());
    X509_NAME* name = made ? X509_get_subject_name(made.get()) : nullptr;
    const unsigned char text[] = "escrow";
    const bool is_made =
        name != nullptr &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
        X509_set_issuer_name(made.get(), name) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1) == 1 &&
        X509_set_pubkey(made.get(), key.get()) == 1;
    if (!is_made) return cms_error("cannot use the public key");
    return made;
}

Result<> check_recipient_key(const X509& certificate) {
    const EVP_PKEY* key = X509_get0_pubkey(&certificate);
    const bool is_rsa = key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    const bool is_ec = key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    if (is_ec || (is_rsa && EVP_PKEY_get_bits(key) >= 2048)) return {};
    clear_openssl_errors();
    return fail(Code::InvalidRequest,
                "expected an EC key or an RSA key of at least 2048 bits, found another one");
}

Result<> add_recipient(CMS_ContentInfo* cms, X509* recipient) {
    CMS_RecipientInfo* info = CMS_add1_recipient_cert(cms, recipient, CMS_KEY_PARAM);
    if (info == nullptr) return cms_error("cannot encrypt to the key");
    EVP_PKEY_CTX* context = CMS_RecipientInfo_get0_pkey_ctx(info);
    const bool is_rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(recipient)) == EVP_PKEY_RSA;
    if (is_rsa && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1) {
        return cms_error("cannot encrypt to the key");
    }
    return {};
}

}  // namespace

Result<std::string> encrypt_to(std::string_view secret, std::string_view recipient_pem) {
    auto recipient = recipient_of(recipient_pem);
    if (!recipient) return std::move(recipient).error();
    if (auto good = check_recipient_key(**recipient); !good) return std::move(good).error();
    clear_openssl_errors();
    constexpr unsigned int kFlags = CMS_BINARY | CMS_PARTIAL;
    const CmsPtr cms(CMS_encrypt(nullptr, nullptr, EVP_aes_256_cbc(), kFlags));
    if (!cms) return cms_error("cannot encrypt");
    if (auto added = add_recipient(cms.get(), recipient->get()); !added) {
        return std::move(added).error();
    }
    const BioPtr plain = memory_of(secret);
    if (!plain || CMS_final(cms.get(), plain.get(), nullptr, CMS_BINARY) != 1) {
        return cms_error("cannot encrypt");
    }
    return pem_text("CMS", encode_openssl([&](unsigned char** out) {
                        return i2d_CMS_ContentInfo(cms.get(), out);
                    }));
}

Result<Bytes> make_pkcs12(const PrivateKey& key,
                          const Certificate& certificate,
                          const std::vector<Certificate>& chain,
                          std::string_view name,
                          const Secret& passphrase) {
    if (!key.is_in_memory()) return fail(Code::InvalidRequest, "the key cannot leave its device");
    clear_openssl_errors();
    const auto parsed = [](const Certificate& one) {
        const unsigned char* der = one.der().data();
        return X509Ptr(d2i_X509(nullptr, &der, static_cast<long>(one.der().size())));
    };
    const X509Ptr leaf = parsed(certificate);
    const CertificatesPtr others(sk_X509_new_null());
    for (const Certificate& one : chain) {
        X509Ptr above = parsed(one);
        if (above && sk_X509_push(others.get(), above.get()) > 0)
            static_cast<void>(above.release());
    }
    const std::string friendly(name);
    const std::string secret(passphrase.text());
    const Pkcs12Ptr made(PKCS12_create(secret.c_str(),
                                       friendly.c_str(),
                                       key.handle(),
                                       leaf.get(),
                                       others.get(),
                                       NID_aes_256_cbc,
                                       NID_aes_256_cbc,
                                       kIterations,
                                       kIterations,
                                       0));
    if (!made) return cms_error("cannot make the PKCS#12 file");
    return encode_openssl([&](unsigned char** out) { return i2d_PKCS12(made.get(), out); });
}

}  // namespace hatchery::ca
