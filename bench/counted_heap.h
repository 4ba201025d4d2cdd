// What the heap of a benchmark holds.
#pragma once

#include <cstdint>

namespace hatchery::bench {

/// Bytes of the heap that are in use, as the allocator rounds them.
std::int64_t bytes_in_use();

}  // namespace hatchery::bench
