#include "provisioning/gateway/flow_threads.h"

#include "hooks/hook.h"
#include "provisioning/log/log.h"

#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <latch>

namespace hatchery::gateway {
namespace {

hooks::HookConfig worker(const std::string& name, const std::string& script, std::string argument) {
    hooks::HookConfig config;
    config.name = name;
    config.kind = "command";
    config.command = {std::string(HATCHERY_TEST_DATA) + "/hooks/" + script, std::move(argument)};
    config.workers = 2;
    return config;
}

TEST(FlowThreads, LetDevicesOfOtherHooksGoOnWhileTwoHundredWaitForOneThatHangs) {
    spdlog::set_level(spdlog::level::off);
    std::string folder = (std::filesystem::temp_directory_path() / "flow-threads-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const std::string release = folder + "/release";
    auto hanging = worker("Hanging", "wait_for.sh", release);
    hanging.queue = 250;
    auto set = hooks::HookSet::make({hanging, worker("Other", "allow.sh", "")});
    ASSERT_TRUE(set) << to_string(set.error());
    FlowThreads threads(4);
    std::atomic<int> slow{0};
    std::atomic<int> quick{0};
    for (int i = 0; i < 200; ++i) {
        threads.post([&] {
            (void)set->decide("Hanging", {});
            ++slow;
        });
    }
    std::latch all_quick(20);
    for (int i = 0; i < 20; ++i) {
        threads.post([&] {
            if (set->decide("Other", {})) ++quick;
            all_quick.count_down();
        });
    }
    all_quick.wait();
    // Four threads at a time would have served all of the others but four first.
    EXPECT_LT(slow, 196);
    EXPECT_EQ(quick, 20);
    std::ofstream(release).put('x');
    threads.join();
    EXPECT_EQ(slow, 200);
    std::filesystem::remove_all(folder);
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
