#include "ca/base/bytes.h"
#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "ca/base/error.h"
#include "ca/base/secret.h"

#include <strings.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace hatchery {

std::string_view to_string(Code code) {
    switch (code) {
        case Code::InvalidRequest:
            return "InvalidRequest";
        case Code::Unauthenticated:
            return "Unauthenticated";
        case Code::Forbidden:
            return "Forbidden";
        case Code::NotFound:
            return "NotFound";
        case Code::AlreadyExists:
            return "AlreadyExists";
        case Code::Conflict:
            return "Conflict";
        case Code::DeleteConflict:
            return "DeleteConflict";
        case Code::LimitExceeded:
            return "LimitExceeded";
        case Code::VersionsLimitExceeded:
            return "VersionsLimitExceeded";
        case Code::VersionConflict:
            return "VersionConflict";
        case Code::CertificateInvalid:
            return "CertificateInvalid";
        case Code::CertificateState:
            return "CertificateState";
        case Code::CertificateConflict:
            return "CertificateConflict";
        case Code::RegistrationCodeInvalid:
            return "RegistrationCodeInvalid";
        case Code::MalformedPolicy:
            return "MalformedPolicy";
        case Code::Throttled:
            return "Throttled";
        case Code::NotImplemented:
            return "NotImplemented";
        case Code::Unavailable:
            return "Unavailable";
        case Code::Internal:
            return "Internal";
    }
    return "Internal";
}

std::string to_string(const Error& error) {
    return error.where.empty() ? error.message : error.where + ": " + error.message;
}

namespace {

/// RFC 3986 section 2.3.
bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string percent_encode(std::string_view text, Slash slash) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    for (const char c : text) {
        if (is_unreserved(c) || (c == '/' && slash == Slash::Keep)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

std::string to_hex(ByteView bytes) {
    static constexpr std::string_view alphabet = "0123456789abcdef";
    std::string text(bytes.size() * 2, '0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text[2 * i] = alphabet[bytes[i] >> 4];
        text[2 * i + 1] = alphabet[bytes[i] & 15];
    }
    return text;
}

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return fail(Code::InvalidRequest, "expected an even number of hexadecimal digits");
    }
    Bytes bytes(text.size() / 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return fail(Code::InvalidRequest, "expected hexadecimal digits");
        bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return bytes;
}

std::string to_base64(ByteView bytes) {
    std::string text((bytes.size() + 2) / 3 * 4, '=');
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
        if (have > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
        if (have > 2) group |= bytes[i + 2];
        text[at] = kBase64[group >> 18];
        text[at + 1] = kBase64[(group >> 12) & 63];
        if (have > 1) text[at + 2] = kBase64[(group >> 6) & 63];
        if (have > 2) text[at + 3] = kBase64[group & 63];
        at += 4;
    }
    return text;
}

Result<Bytes> from_base64(std::string_view text) {
    static const auto values_of = [] {
        std::array<int, 256> values{};
        values.fill(-1);
        for (std::size_t i = 0; i < kBase64.size(); ++i) {
            values[static_cast<unsigned char>(kBase64[i])] = static_cast<int>(i);
        }
        return values;
    }();
    const auto value_at = [&](std::size_t at) {
        return values_of[static_cast<unsigned char>(text[at])];
    };
    Bytes bytes;
    bytes.reserve(text.size() / 4 * 3);
    const auto put = [&bytes](std::uint32_t group, int count) {
        const std::array<std::uint8_t, 3> octets{static_cast<std::uint8_t>(group >> 16),
                                                 static_cast<std::uint8_t>(group >> 8),
                                                 static_cast<std::uint8_t>(group)};
        bytes.insert(bytes.end(), octets.begin(), octets.begin() + count);
    };
    std::uint32_t group = 0;
    int digits = 0;
    int padding = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (digits == 0 && padding == 0 && text.size() - i >= 4) {  // nearly always four digits
            const int a = value_at(i), b = value_at(i + 1), c = value_at(i + 2),
                      d = value_at(i + 3);
            if ((a | b | c | d) >= 0) {
                put(static_cast<std::uint32_t>(a << 18 | b << 12 | c << 6 | d), 3);
                i += 4;
                continue;
            }
        }
        const char c = text[i];
        const int value = value_at(i++);
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        if (c == '=') {
            ++padding;
        } else if (value < 0 || padding > 0) {
            return fail(Code::InvalidRequest, "expected base64");
        }
        group = group << 6 | static_cast<std::uint32_t>(c == '=' ? 0 : value);
        if (++digits == 4) {
            if (padding > 2) return fail(Code::InvalidRequest, "expected base64");
            put(group, 3 - padding);
            group = 0;
            digits = 0;
        }
    }
    if (digits != 0)
        return fail(Code::InvalidRequest, "expected base64 of a length that is a multiple of 4");
    return bytes;
}

std::string to_decimal(ByteView big_endian) {
    Bytes digits{0};  // little-endian decimal
    for (auto byte : big_endian) {
        unsigned carry = byte;
        for (auto& digit : digits) {
            const unsigned value = digit * 256U + carry;
            digit = static_cast<std::uint8_t>(value % 10);
            carry = value / 10;
        }
        for (; carry > 0; carry /= 10)
            digits.push_back(static_cast<std::uint8_t>(carry % 10));
    }
    std::string text;
    for (auto it = digits.rbegin(); it != digits.rend(); ++it)
        text += static_cast<char>('0' + *it);
    return text;
}

Secret Secret::take(std::string& text) {
    Secret secret(to_bytes(bytes_of(text)));
    explicit_bzero(text.data(), text.size());
    text.clear();
    return secret;
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        bytes_ = std::move(other.bytes_);
        other.bytes_.clear();
    }
    return *this;
}

void Secret::wipe() {
    if (!bytes_.empty()) explicit_bzero(bytes_.data(), bytes_.size());
}

Result<CertificateId> CertificateId::parse(std::string_view hex) {
    auto bytes = from_hex(hex);
    if (!bytes || bytes->size() != 32) {
        return fail(Code::InvalidRequest, "expected a certificate id of 64 hexadecimal characters");
    }
    return from_bytes(*bytes);
}

Result<CertificateId> CertificateId::from_bytes(ByteView view) {
    CertificateId id;
    if (view.size() != id.bytes.size()) {
        return fail(Code::InvalidRequest,
                    "expected a certificate id of 32 bytes, found " + std::to_string(view.size()));
    }
    std::memcpy(id.bytes.data(), view.data(), id.bytes.size());
    return id;
}

std::string to_iso8601(Time time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    std::array<char, 40> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%04d-%02u-%02uT%02d:%02d:%02dZ",
                  static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text.data();
}

}  // namespace hatchery
