#include "ca/openssl.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include <array>
#include <ctime>

namespace hatchery::ca {

void clear_openssl_errors() {
    ERR_clear_error();
}

std::string drain_openssl_errors() {
    const unsigned long first = ERR_get_error();
    ERR_clear_error();
    const char* reason = first == 0 ? nullptr : ERR_reason_error_string(first);
    return reason == nullptr ? "unknown OpenSSL error" : reason;
}

std::string oid_text(const ASN1_OBJECT* object) {
    std::array<char, 128> buffer{};
    const int size = OBJ_obj2txt(buffer.data(), static_cast<int>(buffer.size()), object, 1);
    if (size < 0) return {};
    if (static_cast<std::size_t>(size) < buffer.size()) return buffer.data();
    std::string text(static_cast<std::size_t>(size) + 1, '\0');
    OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::optional<Time> to_time(const ASN1_TIME* time) {
    std::tm fields{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
    using namespace std::chrono;
    const year_month_day date{year{fields.tm_year + 1900},
                              month{static_cast<unsigned>(fields.tm_mon + 1)},
                              day{static_cast<unsigned>(fields.tm_mday)}};
    if (!date.ok()) return std::nullopt;
    return sys_days{date} + hours{fields.tm_hour} + minutes{fields.tm_min} + seconds{fields.tm_sec};
}

namespace {

std::string curve_name(const ASN1_OBJECT* object) {
    const int nid = OBJ_obj2nid(object);
    if (nid == NID_X9_62_prime256v1) return "P-256";
    if (nid == NID_secp384r1) return "P-384";
    if (nid == NID_secp521r1) return "P-521";
    return nid == NID_undef ? oid_text(object) : OBJ_nid2sn(nid);
}

}  // namespace

KeyInfo read_key_info(X509_PUBKEY* key) {
    KeyInfo info;
    info.der = encode_openssl([key](unsigned char** out) { return i2d_X509_PUBKEY(key, out); });
    ASN1_OBJECT* algorithm = nullptr;  // get0: borrowed from key
    X509_ALGOR* parameters = nullptr;
    X509_PUBKEY_get0_param(&algorithm, nullptr, nullptr, &parameters, key);
    const int nid = OBJ_obj2nid(algorithm);
    info.algorithm = nid == NID_X9_62_id_ecPublicKey ? "EC"
                     : nid == NID_rsaEncryption      ? "RSA"
                     : nid == NID_undef              ? oid_text(algorithm)
                                                     : OBJ_nid2sn(nid);
    clear_openssl_errors();
    if (const EVP_PKEY* handle = X509_PUBKEY_get0(key); handle != nullptr) {
        info.bits = EVP_PKEY_get_bits(handle);
    }
    clear_openssl_errors();
    if (nid == NID_X9_62_id_ecPublicKey && parameters != nullptr) {
        // The parameter decides, not the group: OpenSSL names explicit parameters that equal a
        // known curve.
        int type = 0;
        const void* value = nullptr;
        X509_ALGOR_get0(nullptr, &type, &value, parameters);
        if (type == V_ASN1_OBJECT) info.curve = curve_name(static_cast<const ASN1_OBJECT*>(value));
    }
    return info;
}

Result<std::optional<PemBlock>> next_pem_block(std::string_view pem, std::size_t& at) {
    static constexpr std::string_view begin_mark = "-----BEGIN ";
    static constexpr std::string_view dashes = "-----";
    const std::size_t begin = pem.find(begin_mark, at);
    if (begin == std::string_view::npos) return std::optional<PemBlock>{};
    const std::size_t label_at = begin + begin_mark.size();
    const std::size_t label_end = pem.find(dashes, label_at);
    if (label_end == std::string_view::npos || label_end - label_at > 64) {
        return fail(Code::InvalidRequest, "expected \"-----\" after the PEM label");
    }
    PemBlock block{std::string(pem.substr(label_at, label_end - label_at)), {}};
    const std::string end_line = "-----END " + block.label + "-----";
    const std::size_t body_at = label_end + dashes.size();
    const std::size_t end = pem.find(end_line, body_at);
    if (end == std::string_view::npos) {
        return fail(Code::InvalidRequest, "expected a line " + end_line);
    }
    at = end + end_line.size();
    auto der = from_base64(pem.substr(body_at, end - body_at));
    if (!der) {
        return fail(Code::InvalidRequest, "expected base64 inside the PEM block " + block.label);
    }
    block.der = std::move(*der);
    return std::optional<PemBlock>{std::move(block)};
}

std::string pem_text(std::string_view label, ByteView der) {
    std::string base64 = to_base64(der);
    std::string text;
    text.reserve(base64.size() + base64.size() / 64 + 2 * label.size() + 40);
    text.append("-----BEGIN ").append(label).append("-----\n");
    for (std::size_t i = 0; i < base64.size(); i += 64)
        text.append(base64, i, 64).append("\n");
    text.append("-----END ").append(label).append("-----\n");
    OPENSSL_cleanse(base64.data(), base64.size());
    return text;
}

}  // namespace hatchery::ca
