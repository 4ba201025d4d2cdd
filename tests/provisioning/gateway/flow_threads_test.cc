#include "provisioning/gateway/flow_threads.h"

#include "hooks/hook.h"
#include "provisioning/log/log.h"

#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <future>
#include <latch>

namespace hatchery::gateway {
namespace {

/// What was decided by the hooks below, counted.
struct Outcomes {
    std::atomic<int> allowed{0};
    std::atomic<int> busy{0};
    std::atomic<int> late{0};
};

hooks::HookConfig worker(const std::string& name, const std::string& script) {
    hooks::HookConfig config;
    config.name = name;
    config.kind = "command";
    config.command = {std::string(HATCHERY_TEST_DATA) + "/hooks/" + script, "/dev/null"};
    config.workers = 2;
    return config;
}

void count(const Result<hooks::HookDecision>& decision, Outcomes& outcomes) {
    if (decision) {
        ++outcomes.allowed;
    } else if (decision.error().message == "the hook is busy: 150 requests wait") {
        ++outcomes.busy;
    } else {
        ++outcomes.late;
    }
}

TEST(FlowThreads, LetDevicesOfOtherHooksGoOnWhileTwoHundredWaitForOneThatHangs) {
    spdlog::set_level(spdlog::level::off);
    auto hanging = worker("Hanging", "hang.sh");
    hanging.queue = 150;
    hanging.timeout = std::chrono::seconds(2);
    auto set = hooks::HookSet::make({hanging, worker("Other", "allow.sh")});
    ASSERT_TRUE(set) << to_string(set.error());
    FlowThreads threads(4);
    Outcomes slow;
    Outcomes quick;
    for (int i = 0; i < 200; ++i)
        threads.post([&] { count(set->decide("Hanging", {}), slow); });
    std::latch all_quick(20);
    for (int i = 0; i < 20; ++i) {
        threads.post([&] {
            count(set->decide("Other", {}), quick);
            all_quick.count_down();
        });
    }
    all_quick.wait();
    // Four threads at a time would have served nearly all of the others first.
    EXPECT_LT(slow.late, 100);
    EXPECT_EQ(quick.allowed, 20);
    threads.join();
    // Two are at work, 150 wait in line; one more than that is refused at once.
    EXPECT_EQ(slow.busy, 48);
    EXPECT_EQ(slow.late, 152);
}

TEST(FlowThreads, WorkNoMoreAtOnceThanTheyMayWithoutAHook) {
    FlowThreads threads(3);
    std::atomic<int> working{0};
    std::atomic<int> most{0};
    for (int i = 0; i < 300; ++i) {
        threads.post([&] {
            const int now = ++working;
            for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
            }
            std::this_thread::yield();
            --working;
        });
    }
    threads.join();
    EXPECT_LE(most, 3);
    EXPECT_EQ(working, 0);
}

TEST(FlowThreads, DoAllThatWasPostedBeforeTheyEnd) {
    std::atomic<int> done{0};
    {
        FlowThreads threads(2);
        for (int i = 0; i < 1000; ++i)
            threads.post([&done, moved = std::make_unique<int>(1)] { done += *moved; });
    }
    EXPECT_EQ(done, 1000);
}

}  // namespace
}  // namespace hatchery::gateway
