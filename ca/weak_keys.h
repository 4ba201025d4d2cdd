// RSA keys that anybody can have: those that Debian's OpenSSL of 2006 to 2008 made out of a process
// number (CVE-2008-0166). In: the lists of Debian's package openssl-blacklist. Knows no file.
#pragma once

#include "ca/base/bytes.h"

#include <array>
#include <string_view>
#include <vector>

namespace hatchery::ca {

/// Immutable once it is shared; thread-safe then.
class WeakKeys {
  public:
    /// Adds a list: a line is the last 20 hexadecimal digits of SHA-1 over "Modulus=HEX\n" (what
    /// `openssl rsa -noout -modulus` prints); lines of nothing or that start with "#" are skipped.
    /// @errors InvalidRequest  `where` = "source:line"
    Result<> add(std::string_view list, std::string_view source);
    /// @param modulus  big-endian magnitude of an RSA key
    bool contains(ByteView modulus) const;
    std::size_t size() const { return digests_.size(); }

  private:
    using Digest = std::array<std::uint8_t, 10>;
    std::vector<Digest> digests_;  ///< ascending
};

}  // namespace hatchery::ca
