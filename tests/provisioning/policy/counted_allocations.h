// How often operator new ran on this thread.
#pragma once

#include <cstddef>

namespace hatchery::testing {

std::size_t allocations();

}  // namespace hatchery::testing
