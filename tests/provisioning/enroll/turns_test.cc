#include "provisioning/enroll/turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace hatchery::enroll {
namespace {

TEST(Turns, LetsOneOfManyEqualRequestsInAtATime) {
    Turns turns;
    std::atomic<int> inside = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 200; ++k) {
                const auto turn = turns.take("a");
                EXPECT_EQ(++inside, 1);
                --inside;
            }
        });
    }
}

TEST(Turns, KeepsNobodyWithAnotherKeyWaiting) {
    Turns turns;
    const auto first = turns.take("a");
    std::latch is_through(1);
    const std::jthread other([&] {
        const auto turn = turns.take("b");
        is_through.count_down();
    });
    is_through.wait();
}

}  // namespace
}  // namespace hatchery::enroll
