// The database that the store's tests write: numbers, each twice, so that half a write would show.
#pragma once

#include "provisioning/store/store.h"

#include <sqlite3.h>

#include <array>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

namespace hatchery::testing {

inline constexpr std::array<store::Migration, 1> kCounters{
    {{1, "CREATE TABLE left(n INTEGER PRIMARY KEY); CREATE TABLE right(n INTEGER PRIMARY KEY);"}}};

inline Result<std::unique_ptr<store::Store>> open_counters(const std::filesystem::path& file,
                                                           store::Store::Options options = {}) {
    return store::Store::open(file, kCounters, std::move(options));
}

inline Result<> put(store::Tx& tx, std::int64_t number) {
    if (auto done = tx.query("INSERT INTO left(n) VALUES(?)", number).run(); !done) return done;
    return tx.query("INSERT INTO right(n) VALUES(?)", number).run();
}

inline Result<std::set<std::int64_t>> numbers(store::Reader& reader, std::string_view sql) {
    std::set<std::int64_t> all;
    auto rows = reader.query(sql);
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) return all;
        all.insert(rows.integer(0));
    }
}
inline Result<std::set<std::int64_t>> left(store::Store& store) {
    return store.read([](store::Reader& r) { return numbers(r, "SELECT n FROM left"); });
}
inline Result<std::set<std::int64_t>> right(store::Store& store) {
    return store.read([](store::Reader& r) { return numbers(r, "SELECT n FROM right"); });
}

/// SQLite by itself, for what another program would do to the file.
class RawDatabase {
  public:
    explicit RawDatabase(const std::filesystem::path& file, const char* vfs = nullptr) {
        sqlite3* db = nullptr;
        sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
        db_.reset(db);
    }
    int run(const char* sql) { return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr); }
    std::int64_t integer(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        std::int64_t value = -1;
        if (sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW) {
            value = sqlite3_column_int64(statement, 0);
        }
        sqlite3_finalize(statement);
        return value;
    }

    std::string text(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        std::string value;
        if (sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW) {
            value = std::string(
                text_of({sqlite3_column_text(statement, 0),
                         static_cast<std::size_t>(sqlite3_column_bytes(statement, 0))}));
        }
        sqlite3_finalize(statement);
        return value;
    }

  private:
    std::unique_ptr<sqlite3, int (*)(sqlite3*)> db_{nullptr, sqlite3_close};
};

}  // namespace hatchery::testing
