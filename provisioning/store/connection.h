// One SQLite connection with its statement cache: what Reader, Tx and the writer stand on. One
// thread at a time.
#pragma once

#include "provisioning/store/memory.h"
#include "provisioning/store/store.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;

namespace hatchery::store {

/// How far a failure reaches, beyond the statement that met it.
enum class Damage {
    None,         ///< the statement alone
    Transaction,  ///< SQLite rolled the whole transaction back
    Disk          ///< an fsync failed: what is durable is no longer known
};

class Connection {
  public:
    enum class Access { Write, Read };

    /// Opens an existing or empty file. @errors Unavailable; InvalidRequest  no database
    static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file,
                                                    const Store::Options& options,
                                                    Access access);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// One statement, from the cache if it is there and free.
    Statement prepare(std::string_view sql);
    /// Prepares and runs one statement without parameters to its end.
    Result<> run(std::string_view sql) { return prepare(sql).run(); }
    /// Any number of statements, not cached.
    Result<> run_script(const std::string& sql);

    enum class Begin { Immediate, Deferred };
    /// From here to commit or rollback, `damage` tells what a failure did, and a statement after
    /// SQLite's own rollback is refused instead of running outside of any transaction.
    Result<> begin(Begin how);
    Result<> commit();
    /// Never fails: SQLite has rolled back already where it cannot.
    void rollback();
    /// Undoes what was done since `SAVEPOINT name`, and ends it.
    Result<> rollback_to(std::string_view savepoint);
    /// Of committed rows and those of the open transaction; a connection that reads has none.
    Memory& memory() { return memory_; }
    Damage damage() const;
    /// Was the last failure one that passes by itself (disk full, another's lock)?
    bool failure_passes() const;

    std::int64_t last_insert_rowid() const;
    std::int64_t changes() const;
    /// Rows changed by this connection so far.
    std::int64_t total_changes() const;
    /// Frames in the write-ahead log after the last commit of this connection.
    int log_frames() const { return log_frames_; }
    void set_busy_timeout(std::chrono::milliseconds timeout);
    /// Moves what the log holds into the database file. @param wait_for_readers  so that the log
    /// starts anew @return how many of its frames are in the database file now; 0 if others were in
    /// the way
    Result<int> checkpoint(bool wait_for_readers);

    /// The error of a result code, and what it means for the transaction.
    Error failed(int code);

  private:
    friend class Statement;
    struct Slot {
        sqlite3_stmt* statement = nullptr;
        bool in_use = false;
    };
    /// Statements differ in length or at their end; hashing all of a long one would be felt.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            const std::string_view end = text.substr(text.size() - std::min(text.size(), kEnd));
            return std::hash<std::string_view>{}(end) + text.size();
        }
        static constexpr std::size_t kEnd = 32;
    };

    Connection() = default;
    Result<> configure(const Store::Options& options, Access access);
    Result<> switch_to_log(std::chrono::milliseconds patience);
    Result<sqlite3_stmt*> compile(std::string_view sql, bool keep);
    static int on_commit(void* self, sqlite3*, const char*, int frames);
    static void on_change(void* self, int, const char*, const char* table, long long);
    unsigned int data_version();
    void forget_if_others_wrote();

    sqlite3* db_ = nullptr;
    // Nodes of unordered_map stay where they are, so a Statement may point at its slot's flag.
    std::unordered_map<std::string, Slot, TextHash, std::equal_to<>> cache_;
    bool in_transaction_ = false;
    Damage damage_ = Damage::None;
    int log_frames_ = 0;
    Memory memory_;
    unsigned int data_version_ = 0;  // of the database, when memory_ was last known to be true
    int last_failure_ = 0;           // SQLite's extended result code
};

}  // namespace hatchery::store
