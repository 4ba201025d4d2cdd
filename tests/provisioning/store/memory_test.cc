// What writes remember of rows, and everything that makes them forget it.
#include "tests/provisioning/store/counters.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <functional>

namespace hatchery::store {
namespace {

using testing::open_counters;
using testing::put;
using testing::RawDatabase;
using testing::TempDirectory;

/// A store of which a write remembers 7 under "seven" about the rows of `left`.
struct Remembering {
    TempDirectory directory;
    std::unique_ptr<Store> store = std::move(*open_counters(directory / "db"));

    Remembering() {
        EXPECT_TRUE(store->write([](Tx& tx) -> Result<> {
            tx.remember("left", "seven", 7);
            return {};
        }));
    }
    Result<> write(const Store::Work& work) {
        return store->write([&](Tx& tx) { return work(tx); });
    }
    bool remembers() {
        return *store->write([](Tx& tx) -> Result<bool> {
            const int* seven = tx.recall<int>("left", "seven");
            return seven != nullptr && *seven == 7;
        });
    }
};

TEST(StoreMemory, LastsFromOneWriteToTheNext) {
    Remembering of;
    EXPECT_TRUE(of.remembers());
    EXPECT_TRUE(of.write([](Tx& tx) -> Result<> {
        EXPECT_EQ(tx.recall<int>("left", "eight"), nullptr);
        EXPECT_EQ(tx.recall<int>("right", "seven"), nullptr);
        EXPECT_EQ(tx.recall<long>("left", "seven"), nullptr) << "of another type";
        return tx.query("INSERT INTO right(n) VALUES(1)").run();
    }));
    EXPECT_TRUE(of.remembers()) << "another table changed";
}

TEST(StoreMemory, EndsWithAnyChangeOfTheTable) {
    for (const char* sql : {"INSERT INTO left(n) VALUES(2)",
                            "UPDATE left SET n = 3 WHERE n = 1",
                            "DELETE FROM left WHERE n = 1",
                            "INSERT OR REPLACE INTO left(n) VALUES(1)"}) {
        SCOPED_TRACE(sql);
        Remembering of;
        ASSERT_TRUE(of.write([&](Tx& tx) -> Result<> {
            if (auto done = put(tx, 1); !done) return done;
            tx.remember("left", "seven", 7);
            return {};
        }));
        EXPECT_TRUE(of.remembers());
        ASSERT_TRUE(of.write([&](Tx& tx) -> Result<> {
            if (auto done = tx.query(sql).run(); !done) return done;
            EXPECT_EQ(tx.recall<int>("left", "seven"), nullptr) << "in the same write";
            return {};
        }));
        EXPECT_FALSE(of.remembers());
    }
}

TEST(StoreMemory, EndsWithWhatIsUndone) {
    Remembering of;
    EXPECT_FALSE(of.write([](Tx& tx) -> Result<> {
        if (auto done = put(tx, 1); !done) return done;
        tx.remember("left", "seven", 7);
        return fail(Code::Conflict, "undone");
    }));
    EXPECT_FALSE(of.remembers()) << "it was remembered of rows that are not there";
}

TEST(StoreMemory, OutlivesARefusalThatChangedNothing) {
    Remembering of;
    EXPECT_FALSE(of.write([](Tx&) -> Result<> { return fail(Code::Conflict, "refused"); }));
    EXPECT_TRUE(of.remembers());
}

TEST(StoreMemory, EndsWithAnotherConnectionsCommit) {
    Remembering of;
    {
        RawDatabase other(of.directory / "db");
        ASSERT_EQ(other.run("INSERT INTO right(n) VALUES(5)"), SQLITE_OK);
    }
    EXPECT_FALSE(of.remembers());
}

}  // namespace
}  // namespace hatchery::store
