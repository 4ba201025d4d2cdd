#include "provisioning/store/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <thread>
#include <utility>

namespace hatchery::store {

namespace {

constexpr std::size_t kMaxCachedStatements = 512;
constexpr std::int64_t kReadCacheBytes = 8LL << 20;

Code code_of(int result) {
    switch (result & 0xff) {
        case SQLITE_CONSTRAINT:
            return result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY ||
                           result == SQLITE_CONSTRAINT_ROWID
                       ? Code::AlreadyExists
                       : Code::Conflict;
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PROTOCOL:
        case SQLITE_NOMEM:
            return Code::Unavailable;
        case SQLITE_NOTADB:
            return Code::InvalidRequest;
        default:
            return Code::Internal;
    }
}

/// SQLite's "copy what I bind" (a constant made by a cast that our warnings forbid), or "it stays".
sqlite3_destructor_type how_to_keep(bool is_borrowed) {
    static const auto copied = std::bit_cast<sqlite3_destructor_type>(std::intptr_t{-1});
    return is_borrowed ? nullptr : copied;
}

/// Before SQLite's first use in this process (it answers MISUSE after that, and goes on as it was):
/// no statistics of memory, which nobody here reads and which put every allocation of every thread
/// under one lock (SQLITE_CONFIG_MEMSTATUS).
void drop_memory_statistics() {
    [[maybe_unused]] static const int done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

bool is_failed_sync(int result) {
    return result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file,
                                                     const Store::Options& options,
                                                     Access access) {
    drop_memory_statistics();
    std::unique_ptr<Connection> connection(new Connection());
    const char* vfs = options.vfs.empty() ? nullptr : options.vfs.c_str();
    // The file is there already (the caller made it with its mode). NOMUTEX: the pool and the
    // writer give a connection to one thread at a time.
    int result = sqlite3_open_v2(
        file.c_str(), &connection->db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
    if (result != SQLITE_OK) {
        const char* why =
            connection->db_ != nullptr ? sqlite3_errmsg(connection->db_) : sqlite3_errstr(result);
        return fail(Code::Unavailable, "cannot open the database " + file.string() + ": " + why);
    }
    if (auto done = connection->configure(options, access); !done) return std::move(done).error();
    return connection;
}

Result<> Connection::configure(const Store::Options& options, Access access) {
    sqlite3_extended_result_codes(db_, 1);
    set_busy_timeout(options.busy_timeout);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    if (access == Access::Read) {
        return run_script("PRAGMA query_only=ON; PRAGMA cache_size=-" +
                          std::to_string(kReadCacheBytes / 1024));
    }
    // Not every file system can share the log's index; SQLite then keeps its old journal in
    // silence.
    if (auto done = switch_to_log(options.busy_timeout); !done) return done;
    // The commit hook replaces SQLite's own checkpoints, which would run before the answer.
    sqlite3_wal_hook(db_, &Connection::on_commit, this);
    sqlite3_update_hook(db_, &Connection::on_change, this);
    return run_script(
        "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=134217728;"
        "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-" +
        std::to_string(options.cache_bytes / 1024));
}

/// SQLite does not wait for another one that opens or closes the file at the same moment: between a
/// shared and an exclusive lock both would wait for ever.
Result<> Connection::switch_to_log(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (true) {
        auto journal = prepare("PRAGMA journal_mode=WAL");
        auto row = journal.step();
        if (row && journal.text(0) == "wal") return {};
        if (row) return fail(Code::Unavailable, "the file system does not allow a write-ahead log");
        const bool is_busy = (last_failure_ & 0xff) == SQLITE_BUSY;
        if (!is_busy || std::chrono::steady_clock::now() >= until) return std::move(row).error();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

Connection::~Connection() {
    for (auto& [sql, slot] : cache_)
        sqlite3_finalize(slot.statement);
    sqlite3_close_v2(db_);
}

int Connection::on_commit(void* self, sqlite3* /*db*/, const char* /*name*/, int frames) {
    static_cast<Connection*>(self)->log_frames_ = frames;
    return SQLITE_OK;
}

void Connection::on_change(
    void* self, int /*how*/, const char* /*database*/, const char* table, long long /*row*/) {
    static_cast<Connection*>(self)->memory_.forget(table);
}

/// Changes with every commit of this connection, and, once a transaction has begun, if others have
/// committed since (SQLITE_FCNTL_DATA_VERSION).
unsigned int Connection::data_version() {
    unsigned int version = 0;
    sqlite3_file_control(db_, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

void Connection::forget_if_others_wrote() {
    const unsigned int version = data_version();
    if (version != data_version_) memory_.forget_all();
    data_version_ = version;
}

Result<sqlite3_stmt*> Connection::compile(std::string_view sql, bool keep) {
    sqlite3_stmt* statement = nullptr;
    const char* rest = nullptr;
    int result = sqlite3_prepare_v3(db_,
                                    sql.data(),
                                    static_cast<int>(sql.size()),
                                    keep ? SQLITE_PREPARE_PERSISTENT : 0U,
                                    &statement,
                                    &rest);
    if (result != SQLITE_OK) return failed(result);
    if (statement == nullptr || rest != sql.data() + sql.size()) {
        sqlite3_finalize(statement);
        return fail(Code::Internal, "expected one SQL statement, found none or more");
    }
    return statement;
}

Statement Connection::prepare(std::string_view sql) {
    auto found = cache_.find(sql);
    if (found != cache_.end() && !found->second.in_use) {
        found->second.in_use = true;
        return {*this, found->second.statement, &found->second.in_use};
    }
    bool keep = found == cache_.end() && cache_.size() < kMaxCachedStatements;
    auto statement = compile(sql, keep);
    if (!statement) return {*this, std::move(statement).error()};
    if (!keep) return {*this, *statement, nullptr};
    Slot& slot = cache_.emplace(std::string(sql), Slot{*statement, true}).first->second;
    return {*this, slot.statement, &slot.in_use};
}

Result<> Connection::run_script(const std::string& sql) {
    int result = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return failed(result);
    return {};
}

Result<> Connection::begin(Begin how) {
    if (auto began = run(how == Begin::Immediate ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED"); !began)
        return began;
    in_transaction_ = true;
    if (how == Begin::Immediate) forget_if_others_wrote();
    return {};
}

Result<> Connection::commit() {
    auto committed = run("COMMIT");
    if (!committed) return committed;
    in_transaction_ = false;
    data_version_ = data_version();
    return {};
}

void Connection::rollback() {
    in_transaction_ = false;
    memory_.forget_all();
    if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<> Connection::rollback_to(std::string_view savepoint) {
    memory_.forget_all();
    const std::string name(savepoint);
    return run_script("ROLLBACK TO " + name + "; RELEASE " + name);
}

Damage Connection::damage() const {
    if (damage_ == Damage::None && in_transaction_ && sqlite3_get_autocommit(db_) != 0)
        return Damage::Transaction;
    return damage_;
}

bool Connection::failure_passes() const {
    const int primary = last_failure_ & 0xff;
    return damage_ != Damage::Disk && (primary == SQLITE_FULL || primary == SQLITE_BUSY);
}

std::int64_t Connection::last_insert_rowid() const {
    return sqlite3_last_insert_rowid(db_);
}

std::int64_t Connection::changes() const {
    return sqlite3_changes64(db_);
}

std::int64_t Connection::total_changes() const {
    return sqlite3_total_changes64(db_);
}

void Connection::set_busy_timeout(std::chrono::milliseconds timeout) {
    sqlite3_busy_timeout(db_, static_cast<int>(timeout.count()));
}

Result<int> Connection::checkpoint(bool wait_for_readers) {
    const int how = wait_for_readers ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int moved = -1;
    const int result = sqlite3_wal_checkpoint_v2(db_, nullptr, how, nullptr, &moved);
    // Busy: a reader still needs the log, or another process is at it. The next pass tries again.
    if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY) return std::max(moved, 0);
    return failed(result);
}

Error Connection::failed(int code) {
    last_failure_ = code;
    if (is_failed_sync(code)) damage_ = Damage::Disk;
    return fail(code_of(code), std::string("database: ") + sqlite3_errmsg(db_));
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      is_done_(other.is_done_),
      borrows_(other.borrows_),
      failed_(std::move(other.failed_)) {}

Statement::~Statement() {
    if (statement_ == nullptr) return;
    if (in_use_ == nullptr) {
        sqlite3_finalize(statement_);
        return;
    }
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);  // a cached statement keeps no device's data alive
    *in_use_ = false;
}

void Statement::note(int code) {
    if (code != SQLITE_OK && !failed_) failed_ = connection_->failed(code);
}

void Statement::bind(int index, std::int64_t value) {
    if (statement_ != nullptr) note(sqlite3_bind_int64(statement_, index, value));
}

void Statement::bind(int index, std::string_view text) {
    if (statement_ == nullptr) return;
    // A null pointer would bind NULL; an empty string is none.
    note(sqlite3_bind_text64(statement_,
                             index,
                             text.empty() ? "" : text.data(),
                             text.size(),
                             how_to_keep(borrows_),
                             SQLITE_UTF8));
}

void Statement::bind(int index, ByteView blob) {
    if (statement_ == nullptr) return;
    static constexpr std::uint8_t kNothing = 0;
    note(sqlite3_bind_blob64(statement_,
                             index,
                             blob.empty() ? &kNothing : blob.data(),
                             blob.size(),
                             how_to_keep(borrows_)));
}

void Statement::bind(int index, std::nullptr_t) {
    if (statement_ != nullptr) note(sqlite3_bind_null(statement_, index));
}

Result<bool> Statement::step() {
    if (failed_) return *failed_;
    if (is_done_) return false;  // SQLite would begin anew
    if (connection_->damage() != Damage::None)
        return fail(Code::Unavailable, "database: the transaction was rolled back");
    switch (int result = sqlite3_step(statement_); result) {
        case SQLITE_ROW:
            return true;
        case SQLITE_DONE:
            is_done_ = true;
            return false;
        default:
            failed_ = connection_->failed(result);
            return *failed_;
    }
}

Result<> Statement::run() {
    while (true) {
        auto row = step();
        if (!row) return std::move(row).error();
        if (!*row) return {};
    }
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
    const unsigned char* text = sqlite3_column_text(statement_, column);
    if (text == nullptr) return {};
    return text_of({text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))});
}

ByteView Statement::blob(int column) const {
    const void* blob = sqlite3_column_blob(statement_, column);
    if (blob == nullptr) return {};
    return {static_cast<const std::uint8_t*>(blob),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::string> Statement::optional_text(int column) const {
    if (is_null(column)) return std::nullopt;
    return std::string(text(column));
}

Statement Reader::prepare(std::string_view sql) {
    return connection_.prepare(sql);
}

Result<std::uint64_t> Reader::identity_generation() {
    auto row = prepare("SELECT identity_generation FROM store_state");
    auto there = row.step();
    if (!there) return std::move(there).error();
    return static_cast<std::uint64_t>(*there ? row.integer(0) : 0);
}

std::int64_t Tx::last_insert_rowid() const {
    return connection_.last_insert_rowid();
}

std::int64_t Tx::changes() const {
    return connection_.changes();
}

const std::any* Tx::recalled(std::string_view table, std::string_view name) const {
    return connection_.memory().find(table, name);
}

void Tx::keep(std::string_view table, std::string_view name, std::any value) {
    connection_.memory().keep(table, name, std::move(value));
}

}  // namespace hatchery::store
