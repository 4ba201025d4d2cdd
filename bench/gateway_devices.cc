// Certificates made ahead, so that no signing is measured.
#include "bench/gateway.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <fstream>

namespace hatchery::bench {
namespace {

constexpr long kTenYears = 10L * 365 * 24 * 3600;

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

Key make_key() {
    EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    if (key == nullptr) give_up("no key");
    return {key, EVP_PKEY_free};
}

void add(X509_NAME* name, const char* field, const std::string& text) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    X509_NAME_add_entry_by_txt(
        name, field, MBSTRING_UTF8, bytes, static_cast<int>(text.size()), -1, 0);
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    if (extension == nullptr) give_up(std::string("extension ") + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

struct Wanted {
    std::string common_name;
    std::string serial_number{};  ///< of a device
    long number = 1;
    bool is_ca = false;
};

/// @param issuer  none: self-signed
Certificate make_certificate(const Wanted& wanted, EVP_PKEY* key, X509* issuer, EVP_PKEY* signer) {
    Certificate made(X509_new(), X509_free);
    X509* certificate = made.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), wanted.number);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), kTenYears);
    X509_NAME* name = X509_get_subject_name(certificate);
    add(name, "O", "AnyCompany");
    if (!wanted.serial_number.empty()) {
        add(name, "OU", "Dev");
        add(name, "dnQualifier", "AnyType");
        add(name, "serialNumber", wanted.serial_number);
    }
    add(name, "CN", wanted.common_name);
    X509* above = issuer == nullptr ? certificate : issuer;
    X509_set_issuer_name(certificate, X509_get_subject_name(above));
    X509_set_pubkey(certificate, key);
    extend(certificate, above, NID_subject_key_identifier, "hash");
    extend(certificate, above, NID_authority_key_identifier, "keyid");
    extend(certificate,
           above,
           NID_basic_constraints,
           wanted.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(certificate,
           above,
           NID_key_usage,
           wanted.is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (!wanted.is_ca) {
        const bool is_server = wanted.serial_number.empty();
        extend(certificate, above, NID_ext_key_usage, is_server ? "serverAuth" : "clientAuth");
        if (is_server) extend(certificate, above, NID_subject_alt_name, "DNS:localhost");
    }
    if (X509_sign(certificate, signer, EVP_sha256()) == 0) give_up("no signature");
    return made;
}

struct FileCloser {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

File open_file(const std::string& path, const char* mode) {
    File file(std::fopen(path.c_str(), mode));
    if (!file) give_up("cannot open " + path);
    return file;
}

void write_pem(const std::string& path, EVP_PKEY* key, const std::vector<X509*>& chain) {
    const File keys = open_file(path + ".key", "w");
    PEM_write_PrivateKey(keys.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    const File certificates = open_file(path + ".pem", "w");
    for (X509* one : chain)
        PEM_write_X509(certificates.get(), one);
}

/// Two bytes of length, then the bytes.
void put(std::ostream& file, ByteView bytes) {
    const std::array<char, 2> size{static_cast<char>(bytes.size() >> 8U),
                                   static_cast<char>(bytes.size() & 0xffU)};
    file.write(size.data(), size.size());
    file.write(text_of(bytes).data(), static_cast<std::streamsize>(bytes.size()));
}
Bytes get(std::istream& file) {
    std::array<char, 2> size{};
    file.read(size.data(), size.size());
    const auto byte = [&](std::size_t i) {
        return std::size_t{static_cast<unsigned char>(size.at(i))};
    };
    std::string text(byte(0) << 8U | byte(1), '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file) give_up("not so many devices were made");
    return to_bytes(bytes_of(text));
}

template <class Encode>
Bytes encoded(Encode encode) {
    unsigned char* bytes = nullptr;
    const int size = encode(&bytes);
    if (size <= 0) give_up("not encodable");
    Bytes copy(bytes, bytes + size);
    OPENSSL_free(bytes);
    return copy;
}

std::string device_name(std::size_t number) {
    std::string digits = std::to_string(number);
    return "B" + std::string(7 - std::min<std::size_t>(7, digits.size()), '0') + digits;
}

}  // namespace

void make_devices(const std::string& directory, std::size_t count) {
    const Key ca_key = make_key();
    const auto ca =
        make_certificate({"Bench CA", {}, 1, true}, ca_key.get(), nullptr, ca_key.get());
    write_pem(directory + "/ca", ca_key.get(), {ca.get()});
    const Key server_key = make_key();
    const auto server =
        make_certificate({"localhost", {}, 2}, server_key.get(), ca.get(), ca_key.get());
    write_pem(directory + "/server", server_key.get(), {server.get(), ca.get()});
    std::ofstream file(directory + "/devices", std::ios::binary);
    for (std::size_t i = 0; i < count; ++i) {
        const Key key = make_key();
        const auto certificate =
            make_certificate({"bench", device_name(i), static_cast<long>(i + 10)},
                             key.get(),
                             ca.get(),
                             ca_key.get());
        put(file, encoded([&](unsigned char** out) { return i2d_PrivateKey(key.get(), out); }));
        put(file, encoded([&](unsigned char** out) { return i2d_X509(certificate.get(), out); }));
    }
    file.close();
    if (!file) give_up("cannot write " + directory + "/devices");
}

std::vector<Device> load_devices(const std::string& directory,
                                 std::size_t from,
                                 std::size_t count) {
    std::ifstream file(directory + "/devices", std::ios::binary);
    std::vector<Device> devices;
    devices.reserve(count);
    for (std::size_t i = 0; i < from + count; ++i) {
        const Bytes key = get(file);
        const Bytes certificate = get(file);
        if (i < from) continue;
        const unsigned char* cursor = key.data();
        const Key read(d2i_PrivateKey(EVP_PKEY_EC, nullptr, &cursor, static_cast<long>(key.size())),
                       EVP_PKEY_free);
        cursor = certificate.data();
        const Certificate leaf(d2i_X509(nullptr, &cursor, static_cast<long>(certificate.size())),
                               X509_free);
        if (!read || !leaf) give_up("a device that cannot be read");
        devices.push_back({read, leaf, device_name(i)});
    }
    return devices;
}

}  // namespace hatchery::bench
