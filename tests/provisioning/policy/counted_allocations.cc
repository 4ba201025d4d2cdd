// Replaces the global operator new of this test program; in a file of its own, so that the compiler
// does not see through it.
#include "tests/provisioning/policy/counted_allocations.h"

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t counted = 0;
}  // namespace

std::size_t hatchery::testing::allocations() {
    return counted;
}

void* operator new(std::size_t size) {
    ++counted;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
