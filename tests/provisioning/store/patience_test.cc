// Writes that may wait for others to share their commit. An hour of patience: only company ends it.
#include "tests/provisioning/store/counters.h"
#include "tests/provisioning/store/forgetful_vfs.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace hatchery::store {
namespace {

using testing::ForgetfulDisk;
using testing::left;
using testing::open_counters;
using testing::put;
using testing::TempDirectory;

constexpr std::chrono::hours kLong{1};

TEST(StorePatience, EndsWithEnoughCompanyInOneFsync) {
    TempDirectory directory;
    ForgetfulDisk disk("patient");
    auto store = open_counters(directory / "db",
                               {.max_group_time = std::chrono::hours(1), .vfs = disk.name()});
    ASSERT_TRUE(store) << to_string(store.error());
    constexpr std::int64_t kEnough = 16;
    const int before = disk.syncs();
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < kEnough; ++i) {
        threads.emplace_back([&, i] {
            if (!(*store)->write([i](Tx& tx) { return put(tx, i); }, kLong)) ++failures;
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(failures, 0);
    EXPECT_EQ(disk.syncs(), before + 1);
    EXPECT_EQ(left(**store)->size(), static_cast<std::size_t>(kEnough));
}

TEST(StorePatience, EndsWithOneThatMayNotWait) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store) << to_string(store.error());
    std::atomic<bool> is_answered = false;
    std::thread patient([&] {
        EXPECT_TRUE((*store)->write([](Tx& tx) { return put(tx, 0); }, kLong));
        is_answered = true;
    });
    for (int i = 1; !is_answered; ++i)
        ASSERT_TRUE((*store)->write([i](Tx& tx) { return put(tx, i); }));
    patient.join();
    EXPECT_TRUE(left(**store)->contains(0));
}

TEST(StorePatience, EndsByItself) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store) << to_string(store.error());
    EXPECT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }, std::chrono::microseconds(100)));
    EXPECT_TRUE(left(**store)->contains(1));
}

}  // namespace
}  // namespace hatchery::store
