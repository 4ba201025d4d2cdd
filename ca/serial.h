// Private to ca/: serial numbers.
#pragma once

#include "ca/base/bytes.h"

namespace hatchery::ca {

/// A new serial number: positive, 20 octets, 159 bits of them random (RFC 5280 4.1.2.2). A CA of
/// the public web once had to replace millions of certificates for having 63.
Bytes random_serial();

}  // namespace hatchery::ca
