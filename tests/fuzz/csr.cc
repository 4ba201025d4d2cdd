// Any bytes as a certificate request, through parsing and every check that issuing makes. What our
// reader accepts, OpenSSL's must accept too, with the same fields and the same verdict on the
// self-signature: the other way round is not asked, ours is the stricter one.
#include "ca/issuer.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace {

using namespace hatchery;
using namespace hatchery::ca;

struct Fixture {
    Time now{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    PrivateKey key = PrivateKey::generate(KeyKind::P256).value();
    Certificate root = make_root(key, "Fuzz Root", std::chrono::hours(24 * 365), now).value();
    Issuer issuer = Issuer::make(root, key, {}).value();
    std::vector<Profile> profiles;
    Fixture() {
        for (const auto& shipped : shipped_profiles()) {
            profiles.push_back(Profile::parse(shipped.toml, shipped.name).value());
        }
        profiles.front().subject.clear();
        profiles.front().subject_any = true;
    }
};

void expect(bool agreed, const char* what) {
    if (agreed) return;
    std::fprintf(stderr, "our reader and OpenSSL's differ in: %s\n", what);
    std::abort();
}

std::string text_of_object(const ASN1_OBJECT* object) {
    std::array<char, 1024> text{};
    const int size = OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
    expect(size > 0 && static_cast<std::size_t>(size) < text.size(), "an object identifier");
    return text.data();
}

template <class T, class Encode>
Bytes encoded(T* object, Encode encode) {
    unsigned char* der = nullptr;
    const int size = encode(object, &der);
    expect(size > 0, "what OpenSSL encodes");
    Bytes bytes(der, der + size);
    OPENSSL_free(der);
    return bytes;
}

void compare_subject(X509_NAME* theirs, const CsrFields& ours) {
    expect(encoded(theirs, i2d_X509_NAME) == ours.subject_der, "the subject's encoding");
    const auto& attributes = ours.subject.attributes;
    expect(static_cast<std::size_t>(X509_NAME_entry_count(theirs)) == attributes.size(),
           "the number of attributes");
    for (std::size_t i = 0; i < attributes.size(); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(theirs, static_cast<int>(i));
        expect(text_of_object(X509_NAME_ENTRY_get_object(entry)) == attributes[i].oid,
               "an attribute's type");
        expect(static_cast<std::size_t>(X509_NAME_ENTRY_set(entry)) == attributes[i].rdn,
               "an attribute's place");
        if (!attributes[i].text) continue;
        unsigned char* utf8 = nullptr;
        const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        expect(size >= 0, "an attribute's value");
        expect(text_of({utf8, static_cast<std::size_t>(size)}) == attributes[i].value,
               "an attribute's value");
        OPENSSL_free(utf8);
    }
}

void free_extensions(STACK_OF(X509_EXTENSION) * extensions) {
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

void compare_extensions(X509_REQ* request, const CsrFields& ours) {
    const std::unique_ptr<STACK_OF(X509_EXTENSION), decltype(&free_extensions)> theirs(
        X509_REQ_get_extensions(request), free_extensions);
    const int count = theirs ? X509v3_get_ext_count(theirs.get()) : 0;
    expect(static_cast<std::size_t>(count < 0 ? 0 : count) == ours.extensions.size(),
           "the number of extensions");
    for (int i = 0; i < count; ++i) {
        X509_EXTENSION* extension = X509v3_get_ext(theirs.get(), i);
        const auto& mine = ours.extensions[static_cast<std::size_t>(i)];
        expect(text_of_object(X509_EXTENSION_get_object(extension)) == mine.oid,
               "an extension's type");
        expect((X509_EXTENSION_get_critical(extension) == 1) == mine.critical,
               "an extension's criticality");
        const ASN1_OCTET_STRING* value = X509_EXTENSION_get_data(extension);
        expect(Bytes(ASN1_STRING_get0_data(value),
                     ASN1_STRING_get0_data(value) + ASN1_STRING_length(value)) == mine.value,
               "an extension's value");
    }
}

void compare_key(X509_REQ* request, const Csr& csr) {
    const auto& ours = csr.fields();
    expect(encoded(X509_REQ_get_X509_PUBKEY(request), i2d_X509_PUBKEY) == ours.public_key_der,
           "the public key's encoding");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request);
    // A key that we can use is one that they read, of the same size. RSA is judged by its bits
    // alone outside 2,048 to 4,096.
    const bool usable = ours.key_bits > 0 && (ours.key_algorithm != "RSA" ||
                                              (ours.key_bits >= 2048 && ours.key_bits <= 4096));
    if (usable) {
        expect(key != nullptr, "a key that OpenSSL does not read");
        expect(EVP_PKEY_get_bits(key) == ours.key_bits, "the key's size");
    }
    if (csr.verify_signature()) {
        expect(key != nullptr && X509_REQ_verify(request, key) == 1, "the self-signature");
    } else if (usable) {
        const int nid = X509_REQ_get_signature_nid(request);
        const bool known = nid == NID_ecdsa_with_SHA256 || nid == NID_ecdsa_with_SHA384 ||
                           nid == NID_ED25519 || nid == NID_ecdsa_with_SHA512 ||
                           nid == NID_sha256WithRSAEncryption ||
                           nid == NID_sha384WithRSAEncryption || nid == NID_sha512WithRSAEncryption;
        // Algorithm parameters other than the standard's are the one reason to say no here.
        const X509_ALGOR* algorithm = nullptr;
        X509_REQ_get0_signature(request, nullptr, &algorithm);
        int type = 0;
        X509_ALGOR_get0(nullptr, &type, nullptr, algorithm);
        const bool rsa = ours.key_algorithm == "RSA";
        const bool standard = type == (rsa ? V_ASN1_NULL : V_ASN1_UNDEF);
        if (known && standard) {
            expect(X509_REQ_verify(request, key) != 1, "a self-signature that OpenSSL accepts");
        }
    }
}

void compare_with_openssl(const Csr& csr) {
    const Bytes& der = csr.fields().der;
    const unsigned char* cursor = der.data();
    const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(
        d2i_X509_REQ(nullptr, &cursor, static_cast<long>(der.size())), X509_REQ_free);
    expect(request != nullptr, "a request that OpenSSL does not parse");
    expect(cursor == der.data() + der.size(), "the request's end");
    expect(X509_REQ_get_version(request.get()) == 0, "the version");
    compare_subject(X509_REQ_get_subject_name(request.get()), csr.fields());
    compare_extensions(request.get(), csr.fields());
    compare_key(request.get(), csr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixture fixture;
    const auto csr = Csr::parse({data, size});
    if (!csr) return 0;
    compare_with_openssl(*csr);
    for (const auto& profile : fixture.profiles) {
        const auto prepared = fixture.issuer.prepare(*csr, profile, fixture.now);
        if (prepared && prepared->serial_number().size() != 20) std::abort();
    }
    return 0;
}
