// The store: one SQLite file, WAL, synchronous=FULL. Writes are closures handed to one writer
// thread that runs many in one transaction, then one fsync, then answers them all (group commit);
// one that fails is undone alone. Reads run on the calling thread, on a connection of its own, and
// never wait for writes. Nothing here knows a thing, a certificate or a policy. Read first:
// Store::write, then writer.cc.
#pragma once

#include "ca/base/bytes.h"

#include <algorithm>
#include <any>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

struct sqlite3_stmt;

namespace hatchery::store {

class Connection;  // connection.h, this box's own

/// A prepared statement with its parameters bound. Reset and given back to the connection's cache
/// when destroyed. Views returned by `text` and `blob` live until the next step or destruction.
class Statement {
  public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    /// Parameters in order, 1-based like SQLite. Copied, because `query` may be given temporaries.
    void bind(int index, std::int64_t value);
    void bind(int index, std::string_view text);
    void bind(int index, ByteView blob);
    void bind(int index, std::nullptr_t);
    template <class T>
    void bind(int index, const std::optional<T>& value) {
        if (value) {
            bind(index, *value);
        } else {
            bind(index, nullptr);
        }
    }

    /// true: a row is there; false: done.
    /// @errors AlreadyExists  a UNIQUE or PRIMARY KEY constraint; Conflict  another constraint
    /// @errors Unavailable  disk full, I/O error, locked for too long; Internal  anything else, a
    /// wrong statement included
    Result<bool> step();
    /// Steps to the end, ignoring rows.
    Result<> run();

    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;
    ByteView blob(int column) const;
    std::optional<std::string> optional_text(int column) const;

  private:
    friend class Connection;
    friend class Reader;
    Statement(Connection& connection, sqlite3_stmt* statement, bool* in_use)
        : connection_(&connection), statement_(statement), in_use_(in_use) {}
    Statement(Connection& connection, Error error)
        : connection_(&connection), failed_(std::move(error)) {}
    void note(int code);  // keeps the first failure of binding, for step to report

    Connection* connection_;
    sqlite3_stmt* statement_ = nullptr;
    bool* in_use_ = nullptr;  // of the cache's slot; none: the statement is our own to finalize
    bool is_done_ = false;
    bool borrows_ = false;  // what is bound outlives this
    std::optional<Error> failed_;
};

/// A consistent view of the database. Valid inside the closure that receives it; one thread.
class Reader {
  public:
    /// `sql` with `args` bound in order (integers, bool, text, ByteView, optional, nullptr).
    /// Statements are cached by text.
    template <class... Args>
    Statement query(std::string_view sql, const Args&... args) {
        Statement statement = prepare(sql);
        bind_all(statement, args...);
        return statement;
    }
    /// The same, run to its end: nothing that is bound is copied.
    template <class... Args>
    Result<> run(std::string_view sql, const Args&... args) {
        Statement statement = prepare(sql);
        statement.borrows_ = true;
        bind_all(statement, args...);
        return statement.run();
    }

    /// The number in this view (Store::identity_generation): other processes' commits counted.
    Result<std::uint64_t> identity_generation();

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

  protected:
    friend class SqliteStore;
    explicit Reader(Connection& connection) : connection_(connection) {}
    ~Reader() = default;
    Statement prepare(std::string_view sql);
    Connection& connection_;

  private:
    template <class... Args>
    static void bind_all(Statement& statement, const Args&... args) {
        int index = 0;
        (bind_one(statement, ++index, args), ...);
    }
    template <class T>
    static void bind_one(Statement& statement, int index, const T& value) {
        if constexpr (std::is_integral_v<T>) {
            statement.bind(index, static_cast<std::int64_t>(value));
        } else {
            statement.bind(index, value);
        }
    }
};

/// A write transaction's handle. What the closure wrote is durable when Store::write returns, or
/// not there at all.
class Tx : public Reader {
  public:
    std::int64_t last_insert_rowid() const;
    std::int64_t changes() const;
    /// Says that this write may change what a connected device may do (certificate status,
    /// policies, attachments, thing attributes): bumps Store::identity_generation once committed.
    void touch_identities() { touches_identities_ = true; }

    /// Remembers a record that this write made, by a tag of the caller's choosing: no connected
    /// device can depend on it yet, so that what is attached to it need not touch identities, and
    /// nothing is attached to it but what this write attached and counted.
    void mark_new(std::int64_t tag) { new_.emplace_back(tag, 0); }
    bool is_new(std::int64_t tag) { return count_of_new(tag) != nullptr; }
    /// The caller's own count, 0 at first, for a record that this write made; null for another.
    std::int64_t* count_of_new(std::int64_t tag) {
        const auto found = std::find_if(
            new_.begin(), new_.end(), [&](const auto& made) { return made.first == tag; });
        return found == new_.end() ? nullptr : &found->second;
    }

    /// What this write or an earlier one remembered under `name` about rows of `table`; null if
    /// nothing, or another type. Valid until this write's next statement that changes such a row.
    template <class T>
    const T* recall(std::string_view table, std::string_view name) const {
        return std::any_cast<T>(recalled(table, name));
    }
    /// Remembers what this write has just read, for itself and the writes after it. Forgotten once
    /// any row of `table` changes, in whatever way and by whatever process, and with whatever is
    /// undone. For tables with row ids that grow with the fleet's variety, not with its size.
    template <class T>
    void remember(std::string_view table, std::string_view name, T value) {
        keep(table, name, std::any(std::move(value)));
    }

  private:
    friend class Writer;
    explicit Tx(Connection& connection) : Reader(connection) {}
    const std::any* recalled(std::string_view table, std::string_view name) const;
    void keep(std::string_view table, std::string_view name, std::any value);

    bool touches_identities_ = false;
    std::vector<std::pair<std::int64_t, std::int64_t>> new_;
};

/// One step of the schema: applied once, in order, each in its own transaction.
struct Migration {
    int version;  ///< 1, 2, 3 …
    std::string_view sql;
};

class Store {
  public:
    struct Options {
        std::size_t max_group = 1024;  ///< closures in one commit
        std::chrono::milliseconds max_group_time{
            15};  ///< no further closure joins a group after this
        std::chrono::milliseconds busy_timeout{10'000};  ///< waiting for another process's write
        std::int64_t cache_bytes = 64LL << 20;
        /// The write-ahead log is moved into the database file whenever so many more of its pages
        /// (4 KiB) wait for that: few enough that reading it stays quick, many enough that a hot
        /// page is moved once for many commits. It starts anew at twice as many, and ends at eight
        /// times as many.
        int log_frames = 8'000;
        std::size_t max_waiting = 1U << 16;  ///< writes not yet begun; beyond, Unavailable
        std::string vfs{};                   ///< SQLite VFS by name; empty = the system's
    };
    using Work = std::function<Result<>(Tx&)>;
    using Patience = std::chrono::microseconds;

    /// Opens or creates `file` (mode 0600) and brings its schema up to the newest migration.
    /// @errors Unavailable  cannot open or lock; InvalidRequest  made by a newer version, or no
    /// database
    static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file,
                                               std::span<const Migration> migrations,
                                               Options options);
    /// Finishes every accepted write, then closes.
    virtual ~Store() = default;

    /// Runs `work(Tx&)` in a group commit and returns its result once it is durable. If `work`
    /// fails, only its own changes are undone. `work` may run more than once; it must have no
    /// effect but on the Tx's rows and its captures' values, and must not call write itself. After
    /// a failed commit or fsync every write is refused (Unavailable) until the store is reopened; a
    /// full disk or another process's lock fails only the writes that met it. Thread-safe.
    /// @param patience  how long it may wait for others to share its commit; one that may not wait
    /// takes along all that do
    template <class F>
    auto write(F&& work, Patience patience = {}) -> std::invoke_result_t<F, Tx&> {
        using R = std::invoke_result_t<F, Tx&>;
        std::optional<R> outcome;
        Result<> done = submit_and_wait(
            [&](Tx& tx) -> Result<> {
                outcome.emplace(work(tx));
                if (!*outcome) return outcome->error();
                return {};
            },
            patience);
        if (!done) return std::move(done).error();
        return std::move(*outcome);
    }

    /// The same without waiting: `done` runs on the writer thread after the commit, and must be
    /// short; here and now if too many writes wait.
    virtual void write_async(Work work,
                             std::function<void(Result<>)> done,
                             Patience patience = {}) = 0;

    /// Runs `work(Reader&)` on a read connection, in one snapshot. Thread-safe; never waits for
    /// writes, and sees every write that returned before it began.
    template <class F>
    auto read(F&& work) -> std::invoke_result_t<F, Reader&> {
        using R = std::invoke_result_t<F, Reader&>;
        std::optional<R> outcome;
        Result<> done = with_reader([&](Reader& reader) -> Result<> {
            outcome.emplace(work(reader));
            return {};
        });
        if (!done) return std::move(done).error();
        return std::move(*outcome);
    }

    /// Grows whenever a commit that touched identities is visible, another process's commits
    /// included (looked for at most every 250 ms). A gateway session re-reads its identity when it
    /// differs. Thread-safe; cheap enough for every packet.
    virtual std::uint64_t identity_generation() = 0;

    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

  protected:
    Store() = default;
    virtual Result<> submit_and_wait(Work work, Patience patience) = 0;
    virtual Result<> with_reader(const std::function<Result<>(Reader&)>& work) = 0;
};

}  // namespace hatchery::store
