#include "provisioning/store/store.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <array>

namespace hatchery::store {
namespace {

constexpr std::array<Migration, 1> kSchema{
    {{1,
      "CREATE TABLE t(key INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB, "
      "big INTEGER CHECK(big < 10));"}}};

class StatementTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = Store::open(directory_ / "db", kSchema, {});
        ASSERT_TRUE(opened) << to_string(opened.error());
        store_ = std::move(*opened);
    }
    testing::TempDirectory directory_;
    std::unique_ptr<Store> store_;
};

TEST_F(StatementTest, KeepsEmptyApartFromNull) {
    const Bytes empty;
    auto written = store_->write([&](Tx& tx) {
        return tx
            .query("INSERT INTO t(name, data) VALUES(?, ?), (NULL, NULL)",
                   std::string_view{},
                   ByteView(empty))
            .run();
    });
    ASSERT_TRUE(written) << to_string(written.error());
    auto read = store_->read([&](Reader& reader) -> Result<> {
        auto rows = reader.query("SELECT name, data FROM t ORDER BY key");
        EXPECT_TRUE(*rows.step());
        EXPECT_FALSE(rows.is_null(0));
        EXPECT_FALSE(rows.is_null(1));
        EXPECT_EQ(rows.optional_text(0), "");
        EXPECT_TRUE(*rows.step());
        EXPECT_TRUE(rows.is_null(0));
        EXPECT_TRUE(rows.is_null(1));
        EXPECT_EQ(rows.optional_text(0), std::nullopt);
        EXPECT_FALSE(*rows.step());
        EXPECT_FALSE(*rows.step()) << "a finished statement must not begin anew";
        return {};
    });
    EXPECT_TRUE(read);
}

TEST_F(StatementTest, CarriesEveryKindOfValue) {
    const Bytes data{0, 1, 255};
    const std::optional<std::string> nothing;
    const std::optional<int> seven = 7;
    auto read = store_->read([&](Reader& reader) -> Result<> {
        auto row = reader.query("SELECT ?, ?, ?, ?, ?, ?, ?",
                                std::int64_t{-9'000'000'000},
                                true,
                                "a\"b",
                                ByteView(data),
                                nothing,
                                seven,
                                std::string("temporary") + " text");
        auto there = row.step();
        if (!there) return std::move(there).error();
        EXPECT_EQ(row.integer(0), -9'000'000'000);
        EXPECT_EQ(row.integer(1), 1);
        EXPECT_EQ(row.text(2), "a\"b");
        EXPECT_EQ(to_bytes(row.blob(3)), data);
        EXPECT_TRUE(row.is_null(4));
        EXPECT_EQ(row.integer(5), 7);
        EXPECT_EQ(row.text(6), "temporary text");
        return {};
    });
    EXPECT_TRUE(read) << to_string(read.error());
}

TEST_F(StatementTest, MayBeUsedInsideItself) {
    auto written = store_->write(
        [](Tx& tx) { return tx.query("INSERT INTO t(name) VALUES('a'), ('b'), ('c')").run(); });
    ASSERT_TRUE(written);
    int pairs = 0;
    auto read = store_->read([&](Reader& reader) -> Result<> {
        constexpr std::string_view kSql = "SELECT key FROM t ORDER BY key";
        auto outer = reader.query(kSql);
        while (*outer.step()) {
            auto inner = reader.query(kSql);
            while (*inner.step())
                ++pairs;
        }
        return {};
    });
    EXPECT_TRUE(read);
    EXPECT_EQ(pairs, 9);
}

TEST_F(StatementTest, TellsConstraintsApart) {
    struct Case {
        std::string_view sql;
        Code code;
        std::string_view message;
    };
    const std::array<Case, 6> cases{{
        {"INSERT INTO t(name) VALUES('taken')",
         Code::AlreadyExists,
         "database: UNIQUE constraint failed: t.name"},
        {"INSERT INTO t(key) VALUES(1)",
         Code::AlreadyExists,
         "database: UNIQUE constraint failed: t.key"},
        {"INSERT INTO t(big) VALUES(10)",
         Code::Conflict,
         "database: CHECK constraint failed: big < 10"},
        {"INSERT INTO nowhere VALUES(1)", Code::Internal, "database: no such table: nowhere"},
        {"SELECT 1; SELECT 2", Code::Internal, "expected one SQL statement, found none or more"},
        {"", Code::Internal, "expected one SQL statement, found none or more"},
    }};
    ASSERT_TRUE(store_->write(
        [](Tx& tx) { return tx.query("INSERT INTO t(key, name) VALUES(1, 'taken')").run(); }));
    for (const Case& one : cases) {
        auto result = store_->write([&](Tx& tx) { return tx.query(one.sql).run(); });
        ASSERT_FALSE(result) << one.sql;
        EXPECT_EQ(result.error().code, one.code) << one.sql;
        EXPECT_EQ(result.error().message, one.message);
    }
}

TEST_F(StatementTest, ReportsAParameterThatDoesNotExist) {
    auto result = store_->read([](Reader& reader) { return reader.query("SELECT ?", 1, 2).run(); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::Internal);
    EXPECT_EQ(result.error().message, "database: column index out of range");
}

TEST_F(StatementTest, CannotWriteThroughAReader) {
    auto result = store_->read([](Reader& reader) { return reader.query("DELETE FROM t").run(); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::Unavailable);
    EXPECT_EQ(result.error().message, "database: attempt to write a readonly database");
}

TEST_F(StatementTest, CountsChangesAndKeys) {
    auto result = store_->write([](Tx& tx) -> Result<std::pair<std::int64_t, std::int64_t>> {
        if (auto done = tx.query("INSERT INTO t(key, name) VALUES(41, 'a'), (42, 'b')").run();
            !done)
            return std::move(done).error();
        const std::int64_t key = tx.last_insert_rowid();
        if (auto done = tx.query("UPDATE t SET big = 1").run(); !done)
            return std::move(done).error();
        return std::pair(key, tx.changes());
    });
    ASSERT_TRUE(result);
    EXPECT_EQ(*result, std::pair(std::int64_t{42}, std::int64_t{2}));
}

}  // namespace
}  // namespace hatchery::store
