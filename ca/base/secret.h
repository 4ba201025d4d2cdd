// Bytes that must not leak: wiped on destruction, not copyable, not printable.
#pragma once

#include "ca/base/bytes.h"

#include <string>
#include <string_view>

namespace hatchery {

/// Holds a key, password or token. There is no operator<<, no copy and no JSON form on purpose.
class Secret {
  public:
    Secret() = default;
    explicit Secret(Bytes bytes) : bytes_(std::move(bytes)) {}
    /// Copies `text`, then wipes the caller's string.
    static Secret take(std::string& text);
    static Secret copy_of(ByteView bytes) { return Secret(to_bytes(bytes)); }
    Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(); }

    /// A second holder of the same bytes, asked for by name.
    Secret duplicate() const { return copy_of(bytes_); }
    bool empty() const { return bytes_.empty(); }
    ByteView view() const { return bytes_; }
    std::string_view text() const { return text_of(bytes_); }

  private:
    void wipe();
    Bytes bytes_;
};

}  // namespace hatchery
