// The text form of a certificate that need not be read.
#pragma once

#include "ca/base/bytes.h"

#include <string>

namespace hatchery::ca {

/// PEM of a certificate's DER, whatever the bytes are: reading it takes a hundred times as long.
std::string certificate_pem(ByteView der);

}  // namespace hatchery::ca
