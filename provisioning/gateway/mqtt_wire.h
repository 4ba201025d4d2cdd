// Fields of MQTT packets, read and written. This box's own.
#pragma once

#include "ca/base/utf8.h"
#include "provisioning/gateway/mqtt.h"

namespace hatchery::gateway::mqtt {

inline Error malformed(PacketType type, std::string_view what) {
    return fail(Code::InvalidRequest,
                "malformed " + std::string(to_string(type)) + ": " + std::string(what));
}

inline constexpr std::size_t kMaxLengthBytes = 4;  // of a variable byte integer (5: 1.5.5)

/// Takes fields off the front of a packet's body.
class Cursor {
  public:
    explicit Cursor(ByteView rest) : rest_(rest) {}
    bool at_end() const { return rest_.empty(); }
    ByteView rest() const { return rest_; }
    std::optional<std::uint8_t> byte() {
        if (rest_.empty()) return std::nullopt;
        const std::uint8_t value = rest_[0];
        rest_ = rest_.subspan(1);
        return value;
    }
    std::optional<std::uint16_t> two_bytes() {
        const auto value = number(2);
        if (!value) return std::nullopt;
        return static_cast<std::uint16_t>(*value);
    }
    std::optional<std::uint32_t> four_bytes() { return number(4); }
    /// A block with its length in two bytes before it (1.5.3).
    std::optional<ByteView> block() {
        const auto size = two_bytes();
        if (!size) return std::nullopt;
        return bytes(*size);
    }
    /// A block that is a valid UTF-8 string.
    std::optional<std::string_view> text() {
        const auto value = block();
        if (!value || !is_utf8_text(text_of(*value))) return std::nullopt;
        return text_of(*value);
    }
    std::optional<ByteView> bytes(std::size_t size) {
        if (rest_.size() < size) return std::nullopt;
        const ByteView value = rest_.first(size);
        rest_ = rest_.subspan(size);
        return value;
    }
    /// Seven bits a byte, the lowest first, in as few bytes as possible.
    std::optional<std::uint32_t> variable() {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < kMaxLengthBytes; ++i) {
            const auto next = byte();
            if (!next) return std::nullopt;
            value |= static_cast<std::uint32_t>(*next & 0x7F) << (7 * i);
            if ((*next & 0x80) != 0) continue;
            if (*next == 0 && i > 0) return std::nullopt;
            return value;
        }
        return std::nullopt;
    }
    /// A property list without its length (5: 2.2.2).
    std::optional<ByteView> properties() {
        const auto size = variable();
        if (!size) return std::nullopt;
        return bytes(*size);
    }

  private:
    std::optional<std::uint32_t> number(std::size_t size) {
        const auto value = bytes(size);
        if (!value) return std::nullopt;
        std::uint32_t number = 0;
        for (const std::uint8_t byte : *value)
            number = number << 8 | byte;
        return number;
    }
    ByteView rest_;
};

/// Builds a packet: body first, then the fixed header in front.
class Writer {
  public:
    Writer& byte(std::uint8_t value) {
        body_.push_back(value);
        return *this;
    }
    Writer& two_bytes(std::uint16_t value) {
        body_.push_back(static_cast<std::uint8_t>(value >> 8));
        body_.push_back(static_cast<std::uint8_t>(value & 0xFF));
        return *this;
    }
    Writer& raw(ByteView value) {
        body_.insert(body_.end(), value.begin(), value.end());
        return *this;
    }
    Writer& block(ByteView value) {
        return two_bytes(static_cast<std::uint16_t>(value.size())).raw(value);
    }
    Writer& text(std::string_view value) { return block(bytes_of(value)); }
    Writer& variable(std::size_t value) {
        append_variable(body_, value);
        return *this;
    }
    /// The list with its length if the packet is one of MQTT 5, else nothing.
    Writer& properties(std::uint8_t level, ByteView value) {
        return level == kLevel5 ? variable(value.size()).raw(value) : *this;
    }
    /// @param tail  the end of the body, copied from where it is
    Bytes packet(PacketType type, std::uint8_t flags, ByteView tail = {}) const {
        Bytes out;
        out.reserve(body_.size() + tail.size() + 1 + kMaxLengthBytes);
        out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 | flags));
        append_variable(out, body_.size() + tail.size());
        out.insert(out.end(), body_.begin(), body_.end());
        out.insert(out.end(), tail.begin(), tail.end());
        return out;
    }

  private:
    static void append_variable(Bytes& out, std::size_t left) {
        do {
            const auto low = static_cast<std::uint8_t>(left & 0x7F);
            left >>= 7;
            out.push_back(left > 0 ? static_cast<std::uint8_t>(low | 0x80) : low);
        } while (left > 0);
    }
    Bytes body_;
};

}  // namespace hatchery::gateway::mqtt
