// What survives: a process killed while it writes, and a power cut on a disk that forgets whatever
// was not synced.
#include "provisioning/store/store.h"
#include "tests/provisioning/store/counters.h"
#include "tests/provisioning/store/forgetful_vfs.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

namespace hatchery::store {
namespace {

using testing::ForgetfulDisk;
using testing::left;
using testing::open_counters;
using testing::put;
using testing::RawDatabase;
using testing::right;
using testing::TempDirectory;

/// Writes numbers from several threads for ever, telling each through `pipe` once it is durable.
[[noreturn]] void write_until_killed(const std::filesystem::path& file, int pipe) {
    auto store = open_counters(file, {.log_frames = 64});
    if (!store) _exit(2);
    std::vector<std::thread> threads;
    for (std::int64_t thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::int64_t i = 0;; ++i) {
                const std::int64_t number = thread * 1'000'000 + i;
                if (!(*store)->write([&](Tx& tx) { return put(tx, number); })) _exit(3);
                if (::write(pipe, &number, sizeof number) != sizeof number) _exit(4);
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    _exit(5);
}

TEST(Durability, KeepsEveryAcknowledgedWriteOfAKilledProcess) {
    for (std::size_t wanted : {1U, 300U, 2000U}) {
        TempDirectory directory;
        int ends[2];
        ASSERT_EQ(pipe(ends), 0);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(directory / "db", ends[1]);
        }
        ::close(ends[1]);
        std::set<std::int64_t> acknowledged;
        std::int64_t number = 0;
        while (::read(ends[0], &number, sizeof number) == sizeof number) {
            acknowledged.insert(number);
            if (acknowledged.size() == wanted) kill(child, SIGKILL);
        }
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
        ASSERT_GE(acknowledged.size(), wanted);

        auto store = open_counters(directory / "db");
        ASSERT_TRUE(store) << to_string(store.error());
        const auto kept = *left(**store);
        EXPECT_TRUE(
            std::includes(kept.begin(), kept.end(), acknowledged.begin(), acknowledged.end()));
        EXPECT_EQ(kept, *right(**store)) << "a write is there by half";
        EXPECT_EQ(RawDatabase(directory / "db").text("PRAGMA integrity_check"), "ok");
    }
}

TEST(Durability, SyncsBeforeItAcknowledges) {
    // Seed 0 drops all that was not synced; the others keep an arbitrary part of it.
    for (std::uint32_t seed = 0; seed < 12; ++seed) {
        TempDirectory directory;
        const auto overwrite =
            seed % 3 == 2 ? ForgetfulDisk::Overwrite::Unsafe : ForgetfulDisk::Overwrite::Powersafe;
        ForgetfulDisk disk("power" + std::to_string(seed), overwrite);
        std::set<std::int64_t> acknowledged;
        {
            // Every other time the log moves into the database file meanwhile, and starts anew.
            const int log_frames = seed % 2 == 0 ? 8'000 : 16;
            auto store =
                open_counters(directory / "db", {.log_frames = log_frames, .vfs = disk.name()});
            ASSERT_TRUE(store) << to_string(store.error());
            std::mutex mutex;
            std::vector<std::thread> threads;
            for (std::int64_t thread = 0; thread < 4; ++thread) {
                threads.emplace_back([&, thread] {
                    for (std::int64_t i = 0; i < 1'000'000; ++i) {
                        const std::int64_t number = thread * 1'000'000 + i;
                        if (!(*store)->write([&](Tx& tx) { return put(tx, number); })) return;
                        std::lock_guard lock(mutex);
                        acknowledged.insert(number);
                        if (acknowledged.size() == 200 + seed) disk.cut_power(seed);
                    }
                });
            }
            for (auto& thread : threads)
                thread.join();
        }
        ASSERT_GE(acknowledged.size(), 200U);
        // What is on the disk, by the system's own VFS.
        auto store = open_counters(directory / "db");
        ASSERT_TRUE(store) << to_string(store.error());
        const auto kept = *left(**store);
        EXPECT_TRUE(
            std::includes(kept.begin(), kept.end(), acknowledged.begin(), acknowledged.end()))
            << "seed " << seed << ": kept " << kept.size() << " of " << acknowledged.size();
        EXPECT_EQ(kept, *right(**store)) << "seed " << seed;
        EXPECT_EQ(RawDatabase(directory / "db").text("PRAGMA integrity_check"), "ok");
    }
}

TEST(Durability, IsTestedOnADiskThatReallyForgets) {
    TempDirectory directory;
    ForgetfulDisk disk("forgets");
    { ASSERT_TRUE(open_counters(directory / "db")); }
    {
        // The same file, the same log, but not synced at each commit: SQLite says that it
        // committed, and the power cut takes it away.
        RawDatabase raw(directory / "db", disk.name().c_str());
        ASSERT_EQ(raw.run("PRAGMA synchronous=NORMAL"), SQLITE_OK);
        ASSERT_EQ(raw.run("INSERT INTO left VALUES(1)"), SQLITE_OK);
        ASSERT_EQ(raw.integer("SELECT count(*) FROM left"), 1);
        disk.cut_power(0);
    }
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store) << to_string(store.error());
    EXPECT_TRUE(left(**store)->empty());
}

TEST(Durability, SeesTheCommitsOfAnotherProcess) {
    TempDirectory directory;
    int go[2];
    ASSERT_EQ(pipe(go), 0);
    const pid_t child = fork();  // before this process has a store: locks and threads do not fork
    ASSERT_GE(child, 0);
    if (child == 0) {
        char start = 0;
        if (::read(go[0], &start, 1) != 1) _exit(2);
        auto store = open_counters(directory / "db");
        if (!store) _exit(3);
        auto done = (*store)->write([](Tx& tx) {
            tx.touch_identities();
            return put(tx, 1);
        });
        store->reset();
        _exit(done ? 0 : 4);
    }
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store) << to_string(store.error());
    const auto before = (*store)->identity_generation();
    ASSERT_EQ(::write(go[1], "x", 1), 1);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1}));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while ((*store)->identity_generation() == before &&
           std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    EXPECT_EQ((*store)->identity_generation(), before + 1);
    // Ours goes on from there.
    ASSERT_TRUE((*store)->write([](Tx& tx) {
        tx.touch_identities();
        return put(tx, 2);
    }));
    EXPECT_EQ((*store)->identity_generation(), before + 2);
    ::close(go[0]);
    ::close(go[1]);
}

}  // namespace
}  // namespace hatchery::store
