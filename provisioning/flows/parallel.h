// One loop on several threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace hatchery::flows {

/// Runs `one(i)` for every i below `count` on `threads` threads, this one included.
inline void for_each_on(unsigned threads,
                        std::size_t count,
                        const std::function<void(std::size_t)>& one) {
    std::atomic<std::size_t> next{0};
    const auto run = [&] {
        for (std::size_t i = next++; i < count; i = next++)
            one(i);
    };
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < threads; ++i)
        others.emplace_back(run);
    run();
}

}  // namespace hatchery::flows
