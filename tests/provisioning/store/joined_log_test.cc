// The log of a commit reaches the disk in few writes, and nothing of it is lost between them.
#include "tests/provisioning/store/counters.h"
#include "tests/provisioning/store/forgetful_vfs.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

namespace hatchery::store {
namespace {

using testing::ForgetfulDisk;
using testing::left;
using testing::open_counters;
using testing::put;
using testing::RawDatabase;
using testing::right;
using testing::TempDirectory;

constexpr int kPage = 4096;
constexpr int kPages = 1'000;

/// About as many pages as kPages, one by one.
Result<> write_pages(Tx& tx) {
    for (int i = 0; i < kPages; ++i) {
        auto done = tx.query("INSERT INTO big(data) VALUES(zeroblob(?))", kPage - 200).run();
        if (!done) return done;
    }
    return {};
}

class JoinedLogTest : public ::testing::TestWithParam<ForgetfulDisk::Overwrite> {
  protected:
    void open(std::int64_t cache_bytes) {
        store_.reset();
        auto opened =
            open_counters(directory_ / "db", {.cache_bytes = cache_bytes, .vfs = disk_.name()});
        ASSERT_TRUE(opened) << to_string(opened.error());
        store_ = std::move(*opened);
        ASSERT_TRUE(store_->write(
            [](Tx& tx) { return tx.query("CREATE TABLE IF NOT EXISTS big(data BLOB)").run(); }));
    }
    /// What a program sees that reads the disk by itself, after this one has gone.
    void expect_sound() {
        store_.reset();
        disk_.cut_power(0);
        EXPECT_EQ(RawDatabase(directory_ / "db").text("PRAGMA integrity_check"), "ok");
    }

    TempDirectory directory_;
    ForgetfulDisk disk_{"joined", GetParam()};
    std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Disks,
                         JoinedLogTest,
                         ::testing::Values(ForgetfulDisk::Overwrite::Powersafe,
                                           ForgetfulDisk::Overwrite::Unsafe));

TEST_P(JoinedLogTest, WritesMuchAtOnceWhereThatIsSafe) {
    open(64 << 20);
    const int before = disk_.log_writes();
    ASSERT_TRUE(store_->write(write_pages));
    const int writes = disk_.log_writes() - before;
    if (GetParam() == ForgetfulDisk::Overwrite::Powersafe) {
        EXPECT_LT(writes, kPages / 20);
    } else {
        EXPECT_GE(writes, 2 * kPages);
    }
    expect_sound();
}

// A cache of 40 pages: the log has most of the transaction before its end, and is read meanwhile.
TEST_P(JoinedLogTest, ReadsWhatItHasNotWrittenYet) {
    open(40 * kPage);
    ASSERT_TRUE(store_->write([](Tx& tx) -> Result<> {
        for (std::int64_t n = 0; n < 20'000; ++n) {
            if (auto done = put(tx, (n * 7'919) % 20'000); !done) return done;
        }
        auto all = testing::numbers(tx, "SELECT n FROM left");
        if (!all) return std::move(all).error();
        EXPECT_EQ(all->size(), 20'000U);
        return {};
    }));
    EXPECT_EQ(left(*store_)->size(), 20'000U);
    EXPECT_EQ(right(*store_)->size(), 20'000U);
    expect_sound();
}

// What was written before the disk was full is not lost, and what was refused is not there.
TEST_P(JoinedLogTest, GoesOnAfterADiskThatFilledUpInTheMiddle) {
    open(40 * kPage);
    ASSERT_TRUE(store_->write([](Tx& tx) { return put(tx, 1); }));
    const auto refused = store_->write([&](Tx& tx) -> Result<> {
        if (auto done = write_pages(tx); !done) return done;
        disk_.set_full(true);
        auto done = write_pages(tx);
        disk_.set_full(false);
        EXPECT_FALSE(done);
        // Whatever SQLite still lets through after that must not be half of something.
        (void)put(tx, 2).has_value();
        return {};
    });
    EXPECT_FALSE(refused);
    ASSERT_TRUE(store_->write([](Tx& tx) { return put(tx, 3); }));
    EXPECT_EQ(*left(*store_), (std::set<std::int64_t>{1, 3}));
    EXPECT_EQ(*right(*store_), (std::set<std::int64_t>{1, 3}));
    auto rows = store_->read(
        [](Reader& reader) { return testing::numbers(reader, "SELECT count(*) FROM big"); });
    EXPECT_EQ(*rows, (std::set<std::int64_t>{0}));
    expect_sound();
}

// A read of the log finds the disk full: SQLite undoes that statement alone, and goes on with what
// the log has not got yet.
TEST_P(JoinedLogTest, KeepsWhatAReadCouldNotBringToAFullDisk) {
    open(40 * kPage);
    const auto done = store_->write([&](Tx& tx) -> Result<> {
        for (std::int64_t n = 0; n < 20'000; ++n) {
            if (auto written = put(tx, (n * 7'919) % 20'000); !written) return written;
        }
        disk_.set_full(true);
        EXPECT_FALSE(tx.query("INSERT INTO left SELECT n + 100000 FROM right").run());
        disk_.set_full(false);
        return {};
    });
    EXPECT_EQ(left(*store_)->size(), done ? 20'000U : 0U);
    EXPECT_EQ(right(*store_)->size(), done ? 20'000U : 0U);
    expect_sound();
}

TEST_P(JoinedLogTest, LosesNothingThatWaitsForAFullDisk) {
    open(64 << 20);
    ASSERT_TRUE(store_->write([](Tx& tx) { return put(tx, 1); }));
    disk_.set_full(true);
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(store_->write(write_pages));
    disk_.set_full(false);
    ASSERT_TRUE(store_->write([](Tx& tx) { return put(tx, 2); }));
    EXPECT_EQ(*left(*store_), (std::set<std::int64_t>{1, 2}));
    expect_sound();
}

}  // namespace
}  // namespace hatchery::store
