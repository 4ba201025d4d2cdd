#include "provisioning/store/store.h"

#include "tests/provisioning/store/counters.h"
#include "tests/provisioning/store/forgetful_vfs.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <future>
#include <latch>
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

std::set<std::int64_t> range(std::int64_t from, std::int64_t to) {
    std::set<std::int64_t> all;
    for (std::int64_t number = from; number < to; ++number)
        all.insert(number);
    return all;
}

/// Holds the writer's thread inside a write, so that what is submitted meanwhile is one group.
class HeldWriter {
  public:
    explicit HeldWriter(Store& store) {
        store.write_async(
            [this](Tx&) -> Result<> {
                if (!is_free_) {
                    inside_.count_down();
                    release_.get_future().wait();
                    is_free_ = true;
                }
                return {};
            },
            [](Result<>) {});
        inside_.wait();
    }
    void release() { release_.set_value(); }

  private:
    std::latch inside_{1};
    std::promise<void> release_;
    bool is_free_ = false;  // a closure may run more than once
};

/// Collects the answers of asynchronous writes.
class Answers {
  public:
    explicit Answers(std::ptrdiff_t count)
        : outcomes_(static_cast<std::size_t>(count)), left_(count) {}
    void submit(Store& store, std::size_t index, Store::Work work) {
        store.write_async(std::move(work), [this, index](Result<> outcome) {
            outcomes_.at(index) = std::move(outcome);
            left_.count_down();
        });
    }
    const std::vector<Result<>>& wait() {
        left_.wait();
        return outcomes_;
    }

  private:
    std::vector<Result<>> outcomes_;
    std::latch left_;
};

TEST(Store, KeepsWhatManyThreadsWrote) {
    TempDirectory directory;
    constexpr int kThreads = 16;
    constexpr int kEach = 50;
    {
        auto store = open_counters(directory / "db");
        ASSERT_TRUE(store) << to_string(store.error());
        std::vector<std::thread> threads;
        std::atomic<int> failures = 0;
        for (int thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < kEach; ++i) {
                    auto done =
                        (*store)->write([&](Tx& tx) { return put(tx, thread * kEach + i); });
                    if (!done) ++failures;
                }
            });
        }
        for (auto& thread : threads)
            thread.join();
        EXPECT_EQ(failures, 0);
    }
    auto again = open_counters(directory / "db");
    ASSERT_TRUE(again);
    EXPECT_EQ(*left(**again), range(0, kThreads * kEach));
    EXPECT_EQ(*right(**again), range(0, kThreads * kEach));
}

TEST(Store, CommitsWhatWaitsInOneFsync) {
    TempDirectory directory;
    ForgetfulDisk disk("counting");
    auto store = open_counters(directory / "db",
                               {.max_group_time = std::chrono::hours(1), .vfs = disk.name()});
    ASSERT_TRUE(store) << to_string(store.error());
    constexpr int kWrites = 200;
    Answers answers(kWrites);
    HeldWriter held(**store);
    const int before = disk.syncs();
    for (int i = 0; i < kWrites; ++i)
        answers.submit(**store, static_cast<std::size_t>(i), [i](Tx& tx) { return put(tx, i); });
    held.release();
    for (const auto& outcome : answers.wait())
        EXPECT_TRUE(outcome);
    EXPECT_EQ(disk.syncs() - before, 1);
    EXPECT_EQ(left(**store)->size(), std::size_t{kWrites});
}

TEST(Store, EndsAGroupAtItsLimit) {
    TempDirectory directory;
    ForgetfulDisk disk("limited");
    auto store = open_counters(
        directory / "db",
        {.max_group = 50, .max_group_time = std::chrono::hours(1), .vfs = disk.name()});
    ASSERT_TRUE(store) << to_string(store.error());
    constexpr int kWrites = 199;  // and the one that holds the writer
    Answers answers(kWrites);
    HeldWriter held(**store);
    const int before = disk.syncs();
    for (int i = 0; i < kWrites; ++i)
        answers.submit(**store, static_cast<std::size_t>(i), [i](Tx& tx) { return put(tx, i); });
    held.release();
    for (const auto& outcome : answers.wait())
        EXPECT_TRUE(outcome);
    EXPECT_EQ(disk.syncs() - before, 4);
}

TEST(Store, UndoesAFailingClosureAlone) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    Answers answers(4);
    HeldWriter held(**store);
    answers.submit(**store, 0, [](Tx& tx) { return put(tx, 1); });
    answers.submit(**store, 1, [](Tx& tx) -> Result<> {
        if (auto done = put(tx, 2); !done) return done;
        return fail(Code::Conflict, "no");
    });
    answers.submit(**store, 2, [](Tx& tx) -> Result<> {
        if (auto done = put(tx, 3); !done) return done;
        throw std::runtime_error("thrown");
    });
    answers.submit(**store, 3, [](Tx& tx) { return put(tx, 4); });
    held.release();
    const auto& outcomes = answers.wait();
    EXPECT_TRUE(outcomes[0]);
    ASSERT_FALSE(outcomes[1]);
    EXPECT_EQ(outcomes[1].error().message, "no");
    ASSERT_FALSE(outcomes[2]);
    EXPECT_EQ(outcomes[2].error().code, Code::Internal);
    EXPECT_EQ(outcomes[2].error().message, "a write threw: thrown");
    EXPECT_TRUE(outcomes[3]);
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1, 4}));
    EXPECT_EQ(*right(**store), (std::set<std::int64_t>{1, 4}));
}

TEST(Store, RunsOthersAgainOnlyWhenAClosureLeftSomethingBehind) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    // Failing before it changes anything, as refusals do: nobody pays for it.
    std::atomic<int> runs = 0;
    const auto counted = [&](std::int64_t n) {
        return [&runs, n](Tx& tx) {
            ++runs;
            return put(tx, n);
        };
    };
    {
        Answers answers(2);
        HeldWriter held(**store);
        answers.submit(**store, 0, counted(1));
        answers.submit(**store, 1, [](Tx&) -> Result<> { return fail(Code::Conflict, "refused"); });
        held.release();
        EXPECT_TRUE(answers.wait()[0]);
        EXPECT_FALSE(answers.wait()[1]);
        EXPECT_EQ(runs, 1);
    }
    Answers answers(2);
    HeldWriter held(**store);
    answers.submit(**store, 0, counted(2));
    answers.submit(**store, 1, [](Tx& tx) -> Result<> {
        if (auto done = put(tx, 3); !done) return done;
        return fail(Code::Conflict, "half done");
    });
    held.release();
    EXPECT_TRUE(answers.wait()[0]);
    EXPECT_FALSE(answers.wait()[1]);
    EXPECT_EQ(runs, 3);
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1, 2}));
}

TEST(Store, GivesTheClosuresValueBack) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    auto value = (*store)->write([](Tx& tx) -> Result<std::string> {
        if (auto done = put(tx, 1); !done) return std::move(done).error();
        return std::string("one");
    });
    ASSERT_TRUE(value);
    EXPECT_EQ(*value, "one");
}

TEST(Store, RefusesAWriteInsideAWrite) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    auto outer =
        (*store)->write([&](Tx&) { return (*store)->write([](Tx& tx) { return put(tx, 1); }); });
    ASSERT_FALSE(outer);
    EXPECT_EQ(outer.error().code, Code::Internal);
    EXPECT_EQ(outer.error().message, "a write called write: it would wait for itself");
}

TEST(Store, RefusesMoreWaitingWritesThanItMayHold) {
    TempDirectory directory;
    auto store = open_counters(directory / "db", {.max_waiting = 2});
    ASSERT_TRUE(store);
    Answers answers(3);
    HeldWriter held(**store);
    for (std::size_t i = 0; i < 3; ++i)
        answers.submit(**store, i, [](Tx&) -> Result<> { return {}; });
    held.release();
    const auto& outcomes = answers.wait();
    EXPECT_TRUE(outcomes[0]);
    EXPECT_TRUE(outcomes[1]);
    ASSERT_FALSE(outcomes[2]);
    EXPECT_EQ(outcomes[2].error().code, Code::Unavailable);
    EXPECT_EQ(outcomes[2].error().message, "too many writes are waiting");
}

TEST(Store, FinishesAcceptedWritesBeforeItCloses) {
    TempDirectory directory;
    std::atomic<int> answered = 0;
    {
        auto store = open_counters(directory / "db");
        ASSERT_TRUE(store);
        for (int i = 0; i < 500; ++i) {
            (*store)->write_async([i](Tx& tx) { return put(tx, i); },
                                  [&](Result<> outcome) { answered += outcome ? 1 : 0; });
        }
    }
    EXPECT_EQ(answered, 500);
    auto again = open_counters(directory / "db");
    ASSERT_TRUE(again);
    EXPECT_EQ(left(**again)->size(), 500U);
}

TEST(Store, ReadsCommittedRowsOnlyAndWithoutWaiting) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    std::latch written(1);
    std::promise<void> release;
    auto released = release.get_future().share();
    std::thread writer([&] {
        auto done = (*store)->write([&](Tx& tx) -> Result<> {
            if (auto put_done = put(tx, 2); !put_done) return put_done;
            written.count_down();
            released.wait();
            return {};
        });
        EXPECT_TRUE(done);
    });
    written.wait();
    // The write is under way until we release it: a read that waited for it would never end.
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1}));
    release.set_value();
    writer.join();
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1, 2}));
}

TEST(Store, ReadsOneSnapshot) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    auto result = (*store)->read([&](Reader& reader) -> Result<> {
        auto before = testing::numbers(reader, "SELECT n FROM left");
        EXPECT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
        auto after = testing::numbers(reader, "SELECT n FROM left");
        EXPECT_EQ(*before, *after);
        EXPECT_EQ(left(**store)->size(), 1U) << "a read inside a read has a snapshot of its own";
        return {};
    });
    EXPECT_TRUE(result);
}

TEST(Store, GrowsItsGenerationWithIdentitiesOnly) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    const auto start = (*store)->identity_generation();
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    EXPECT_EQ((*store)->identity_generation(), start);
    ASSERT_FALSE((*store)->write([](Tx& tx) -> Result<> {
        tx.touch_identities();
        return fail(Code::Conflict, "undone");
    }));
    EXPECT_EQ((*store)->identity_generation(), start);
    ASSERT_TRUE((*store)->write([](Tx& tx) {
        tx.touch_identities();
        return put(tx, 2);
    }));
    EXPECT_EQ((*store)->identity_generation(), start + 1);
}

TEST(Store, GoesOnAfterAFullDatabase) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    Answers answers(3);
    HeldWriter held(**store);
    answers.submit(**store, 0, [](Tx& tx) { return put(tx, 2); });
    answers.submit(**store, 1, [](Tx& tx) -> Result<> {
        auto limit = tx.query("PRAGMA max_page_count = 1").run();  // = as many as there are
        if (!limit) return limit;
        return tx.query("CREATE TABLE big AS SELECT zeroblob(100000) AS data").run();
    });
    answers.submit(**store, 2, [](Tx& tx) { return put(tx, 3); });
    held.release();
    const auto& outcomes = answers.wait();
    EXPECT_TRUE(outcomes[0]) << "it did nothing wrong, and ran again";
    ASSERT_FALSE(outcomes[1]);
    EXPECT_EQ(outcomes[1].error().code, Code::Unavailable);
    EXPECT_EQ(outcomes[1].error().message, "database: database or disk is full");
    EXPECT_TRUE(outcomes[2]);
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(*right(**store), (std::set<std::int64_t>{1, 2, 3}));
}

TEST(Store, RunsTheOthersAgainWhenATransactionIsLost) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    Answers answers(4);
    HeldWriter held(**store);
    answers.submit(**store, 0, [](Tx& tx) { return put(tx, 2); });
    answers.submit(**store, 1, [](Tx& tx) -> Result<> {
        // SQLite rolls all back, as it does after some I/O errors.
        EXPECT_FALSE(tx.query("INSERT OR ROLLBACK INTO left VALUES(1)").run());
        EXPECT_FALSE(put(tx, 3)) << "outside of a transaction SQLite would commit this by itself";
        return {};
    });
    answers.submit(**store, 2, [](Tx& tx) -> Result<> {
        EXPECT_TRUE(tx.query("ROLLBACK").run());
        return put(tx, 4);
    });
    answers.submit(**store, 3, [](Tx& tx) { return put(tx, 5); });
    held.release();
    const auto& outcomes = answers.wait();
    EXPECT_TRUE(outcomes[0]);
    for (std::size_t lost : {1U, 2U}) {
        ASSERT_FALSE(outcomes[lost]);
        EXPECT_EQ(outcomes[lost].error().code, Code::Unavailable);
        EXPECT_EQ(outcomes[lost].error().message, "database: the transaction was rolled back");
    }
    EXPECT_TRUE(outcomes[3]);
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1, 2, 5}));
    EXPECT_EQ(*right(**store), (std::set<std::int64_t>{1, 2, 5}));
}

TEST(Store, GoesOnAfterAFullDisk) {
    TempDirectory directory;
    ForgetfulDisk disk("full");
    auto store = open_counters(directory / "db", {.vfs = disk.name()});
    ASSERT_TRUE(store) << to_string(store.error());
    disk.set_full(true);
    auto refused = (*store)->write([](Tx& tx) { return put(tx, 1); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Unavailable);
    EXPECT_EQ(refused.error().message, "database: database or disk is full");
    disk.set_full(false);
    EXPECT_TRUE((*store)->write([](Tx& tx) { return put(tx, 2); }));
    EXPECT_EQ(*left(**store), (std::set<std::int64_t>{2}));
}

TEST(Store, RefusesEveryWriteAfterAFailedFsync) {
    TempDirectory directory;
    ForgetfulDisk disk("broken");
    {
        auto store = open_counters(directory / "db", {.vfs = disk.name()});
        ASSERT_TRUE(store) << to_string(store.error());
        ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
        disk.set_syncs_fail(true);
        auto failed = (*store)->write([](Tx& tx) { return put(tx, 2); });
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, Code::Unavailable);
        disk.set_syncs_fail(false);
        auto refused = (*store)->write([](Tx& tx) { return put(tx, 3); });
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::Unavailable);
        EXPECT_EQ(refused.error().message,
                  "a commit failed, nothing more is written until the store is reopened: "
                  "database: disk I/O error");
        EXPECT_EQ(*left(**store), (std::set<std::int64_t>{1})) << "reads go on";
    }
    auto again = open_counters(directory / "db", {.vfs = disk.name()});
    ASSERT_TRUE(again) << to_string(again.error());
    EXPECT_TRUE((*again)->write([](Tx& tx) { return put(tx, 4); }));
}

TEST(Store, RefusesEveryWriteOnceTheDatabaseFileCannotBeSynced) {
    TempDirectory directory;
    ForgetfulDisk disk("unsynced");
    std::int64_t written = 0;
    {
        auto store = open_counters(directory / "db", {.log_frames = 16, .vfs = disk.name()});
        ASSERT_TRUE(store) << to_string(store.error());
        disk.set_database_syncs_fail(true);
        const auto put_next = [&] {
            return (*store)->write([&](Tx& tx) { return put(tx, written); });
        };
        auto done = put_next();
        while (done && ++written < 1'000)
            done = put_next();
        ASSERT_LT(written, 1'000) << "the log may not grow without end";
        EXPECT_EQ(done.error().code, Code::Unavailable);
        disk.set_database_syncs_fail(false);
        EXPECT_FALSE(put_next()) << "nothing may be built on what the kernel may have dropped";
        disk.cut_power(0);
    }
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store) << to_string(store.error());
    EXPECT_EQ(left(**store)->size(), static_cast<std::size_t>(written));
}

TEST(Store, WaitsForAnotherProcessesLockOnlySoLong) {
    TempDirectory directory;
    auto store = open_counters(directory / "db", {.busy_timeout = std::chrono::milliseconds(20)});
    ASSERT_TRUE(store);
    RawDatabase other(directory / "db");
    ASSERT_EQ(other.run("BEGIN IMMEDIATE"), SQLITE_OK);
    auto refused = (*store)->write([](Tx& tx) { return put(tx, 1); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::Unavailable);
    EXPECT_EQ(refused.error().message, "database: database is locked");
    EXPECT_TRUE(left(**store)) << "reads do not need the lock";
    ASSERT_EQ(other.run("ROLLBACK"), SQLITE_OK);
    EXPECT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
}

TEST(Store, MakesItsFilesForTheOwnerOnly) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    for (const char* name : {"db", "db-wal", "db-shm"}) {
        struct stat status {};
        ASSERT_EQ(stat((directory / name).c_str(), &status), 0) << name;
        EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
    }
}

TEST(Store, IsDurableByItsSettings) {
    TempDirectory directory;
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    auto checked = (*store)->write([](Tx& tx) -> Result<> {
        auto synchronous = tx.query("PRAGMA synchronous");
        EXPECT_TRUE(*synchronous.step());
        EXPECT_EQ(synchronous.integer(0), 2);
        auto journal = tx.query("PRAGMA journal_mode");
        EXPECT_TRUE(*journal.step());
        EXPECT_EQ(journal.text(0), "wal");
        auto foreign_keys = tx.query("PRAGMA foreign_keys");
        EXPECT_TRUE(*foreign_keys.step());
        EXPECT_EQ(foreign_keys.integer(0), 1);
        return {};
    });
    EXPECT_TRUE(checked);
}

TEST(Store, KeepsItsLogShort) {
    TempDirectory directory;
    auto store = open_counters(directory / "db", {.log_frames = 100});
    ASSERT_TRUE(store);
    // 20 times 4 MB through the log, and as much again that is overwritten.
    for (int i = 0; i < 20; ++i) {
        auto done = (*store)->write([](Tx& tx) -> Result<> {
            if (auto gone = tx.query("DROP TABLE IF EXISTS big").run(); !gone) return gone;
            return tx.query("CREATE TABLE big AS SELECT zeroblob(4000000) AS data").run();
        });
        ASSERT_TRUE(done) << to_string(done.error());
    }
    ASSERT_TRUE((*store)->write([](Tx& tx) { return put(tx, 1); }));
    EXPECT_LT(std::filesystem::file_size(directory / "db-wal"), 20U << 20);
    EXPECT_TRUE(*left(**store) == std::set<std::int64_t>{1});
}

TEST(StoreMigration, AppliesEachStepOnce) {
    TempDirectory directory;
    const std::vector<Migration> first{{1, "CREATE TABLE a(n)"}};
    const std::vector<Migration> both{{1, "CREATE TABLE a(n)"},
                                      {2, "CREATE TABLE b(n); INSERT INTO a VALUES(2)"}};
    ASSERT_TRUE(Store::open(directory / "db", first, {}));
    for (int i = 0; i < 2; ++i) {
        auto store = Store::open(directory / "db", both, {});
        ASSERT_TRUE(store) << to_string(store.error());
    }
    RawDatabase raw(directory / "db");
    EXPECT_EQ(raw.integer("PRAGMA user_version"), 2);
    EXPECT_EQ(raw.integer("SELECT count(*) FROM a"), 1);
    EXPECT_EQ(raw.integer("SELECT count(*) FROM b"), 0);
}

TEST(StoreMigration, UndoesAStepThatFails) {
    TempDirectory directory;
    const std::vector<Migration> broken{{1, "CREATE TABLE a(n)"},
                                        {2, "CREATE TABLE b(n); CREATE TABLE a(n)"}};
    auto refused = Store::open(directory / "db", broken, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              (directory / "db").string() + ": database: table a already exists");
    RawDatabase raw(directory / "db");
    EXPECT_EQ(raw.integer("PRAGMA user_version"), 1);
    EXPECT_EQ(raw.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
}

TEST(StoreMigration, RefusesANewerSchema) {
    TempDirectory directory;
    const std::vector<Migration> newer{{1, "CREATE TABLE a(n)"}, {7, "CREATE TABLE b(n)"}};
    ASSERT_TRUE(Store::open(directory / "db", newer, {}));
    auto refused = Store::open(directory / "db", std::span(newer).first(1), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::InvalidRequest);
    EXPECT_EQ(refused.error().message,
              (directory / "db").string() +
                  ": made by a newer version: expected schema 1 or older, found 7");
}

TEST(StoreOpen, SaysWhatIsWrongWithTheFile) {
    TempDirectory directory;
    std::ofstream(directory / "text") << std::string(5000, 'x');
    std::filesystem::create_directory(directory / "folder");
    ASSERT_EQ(RawDatabase(directory / "other").run("CREATE TABLE t(n)"), SQLITE_OK);
    struct Case {
        std::string name;
        Code code;
        std::string message;
    };
    const std::vector<Case> cases{
        {"text", Code::InvalidRequest, "PATH: database: file is not a database"},
        {"folder", Code::Unavailable, "cannot open the database PATH: Is a directory"},
        {"missing/db",
         Code::Unavailable,
         "cannot open the database PATH: No such file or directory"},
        {"other", Code::InvalidRequest, "PATH: a database of another program"},
    };
    for (const Case& one : cases) {
        auto opened = open_counters(directory / one.name);
        ASSERT_FALSE(opened) << one.name;
        EXPECT_EQ(opened.error().code, one.code) << one.name;
        std::string expected = one.message;
        expected.replace(expected.find("PATH"), 4, (directory / one.name).string());
        EXPECT_EQ(opened.error().message, expected);
    }
}

TEST(StoreOpen, SaysThatTheFileIsLocked) {
    TempDirectory directory;
    RawDatabase other(directory / "db");
    ASSERT_EQ(other.run("BEGIN EXCLUSIVE"), SQLITE_OK);
    auto opened = open_counters(directory / "db", {.busy_timeout = std::chrono::milliseconds(20)});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::Unavailable);
    EXPECT_EQ(opened.error().message,
              (directory / "db").string() + ": database: database is locked");
}

TEST(StoreOpen, MayHappenSeveralTimesAtOnce) {
    TempDirectory directory;
    constexpr int kOpeners = 8;
    std::vector<std::string> failures(kOpeners);
    std::vector<std::thread> threads;
    std::latch start(kOpeners);
    for (int i = 0; i < kOpeners; ++i) {
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            auto store = open_counters(directory / "db");
            auto done = store ? (*store)->write([&](Tx& tx) { return put(tx, i); })
                              : Result<>(store.error());
            if (!done) failures[static_cast<std::size_t>(i)] = to_string(done.error());
        });
    }
    for (auto& thread : threads)
        thread.join();
    for (const auto& failure : failures)
        EXPECT_EQ(failure, "");
    auto store = open_counters(directory / "db");
    ASSERT_TRUE(store);
    EXPECT_EQ(*left(**store), range(0, kOpeners));
}

}  // namespace
}  // namespace hatchery::store
