// The value of a Result, or the end of the benchmark with the error's text.
#pragma once

#include "ca/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace hatchery::bench {

inline void must(const Result<>& result) {
    if (result) return;
    std::fprintf(stderr, "%s\n", to_string(result.error()).c_str());
    std::abort();
}
template <class T>
T must(Result<T> result) {
    if (!result) must(Result<>(result.error()));
    return std::move(*result);
}

}  // namespace hatchery::bench
