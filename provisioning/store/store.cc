#include "provisioning/store/store.h"

#include "provisioning/store/connection.h"
#include "provisioning/store/joined_log.h"
#include "provisioning/store/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hatchery::store {

namespace {

// In the file's header (PRAGMA application_id), so that another program's database is refused.
constexpr std::int64_t kApplicationId = 0x48617463;  // "Hatc"
constexpr std::chrono::milliseconds kPollInterval{250};
constexpr std::size_t kMaxIdleReaders = 64;

/// The file is made here and not by SQLite because of its mode: the log and its index take theirs
/// from it.
Result<> create_if_missing(const std::filesystem::path& file) {
    int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (descriptor < 0) {
        return fail(Code::Unavailable,
                    "cannot open the database " + file.string() + ": " +
                        std::system_category().message(errno));
    }
    ::close(descriptor);
    return {};
}

/// The first column of the only row.
Result<std::int64_t> read_integer(Connection& connection, std::string_view sql) {
    auto row = connection.prepare(sql);
    auto found = row.step();
    if (!found) return std::move(found).error();
    return *found ? row.integer(0) : 0;
}

/// Runs `work` in a transaction that holds the write lock from the start.
template <class Work>
Result<> transact(Connection& connection, Work work) {
    if (auto began = connection.begin(Connection::Begin::Immediate); !began) return began;
    Result<> done = work();
    if (done) done = connection.commit();
    if (!done) connection.rollback();
    return done;
}

Result<> check_owner(Connection& connection) {
    // In this order: whoever makes the first tables meanwhile gives the file its id with them.
    auto tables = read_integer(connection, "SELECT count(*) FROM sqlite_schema");
    if (!tables) return std::move(tables).error();
    auto application = read_integer(connection, "PRAGMA application_id");
    if (!application) return std::move(application).error();
    if (*application == kApplicationId || (*application == 0 && *tables == 0)) return {};
    return fail(Code::InvalidRequest, "a database of another program");
}

/// Does nothing, and writes nothing, if they are there: a full disk can still be read.
Result<> make_own_tables(Connection& connection) {
    auto application = read_integer(connection, "PRAGMA application_id");
    if (!application) return std::move(application).error();
    auto table =
        read_integer(connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'store_state'");
    if (!table) return std::move(table).error();
    if (*application == kApplicationId && *table == 1) return {};
    return connection.run_script(
        "PRAGMA application_id=" + std::to_string(kApplicationId) +
        ";"
        "CREATE TABLE IF NOT EXISTS store_state(identity_generation INTEGER NOT NULL);"
        "INSERT INTO store_state SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM store_state);");
}

Result<> apply(Connection& connection, const Migration& migration) {
    return transact(connection, [&]() -> Result<> {
        // Read again under the lock: another process may have been faster.
        auto version = read_integer(connection, "PRAGMA user_version");
        if (!version) return std::move(version).error();
        if (*version >= migration.version) return {};
        if (auto done = connection.run_script(std::string(migration.sql)); !done) return done;
        return connection.run_script("PRAGMA user_version=" + std::to_string(migration.version));
    });
}

Result<> migrate(Connection& connection, std::span<const Migration> migrations) {
    if (auto owner = check_owner(connection); !owner) return owner;
    auto version = read_integer(connection, "PRAGMA user_version");
    if (!version) return std::move(version).error();
    const std::int64_t newest = migrations.empty() ? 0 : migrations.back().version;
    if (*version > newest) {
        return fail(Code::InvalidRequest,
                    "made by a newer version: expected schema " + std::to_string(newest) +
                        " or older, found " + std::to_string(*version));
    }
    if (auto made = transact(connection, [&] { return make_own_tables(connection); }); !made)
        return made;
    for (const Migration& migration : migrations) {
        if (auto done = apply(connection, migration); !done) return done;
    }
    return {};
}

Error in_file(Error error, const std::filesystem::path& file) {
    error.message = file.string() + ": " + error.message;
    return error;
}

}  // namespace

/// The embedded store. Readers are pooled: a thread takes one for a read and gives it back.
class SqliteStore : public Store {
  public:
    SqliteStore(std::filesystem::path file, const Options& options)
        : file_(std::move(file)), log_(options.vfs), options_(options) {
        options_.vfs = log_.name();
    }

    Result<> start(std::span<const Migration> migrations) {
        auto connection = Connection::open(file_, options_, Connection::Access::Write);
        if (!connection) return in_file(std::move(connection).error(), file_);
        if (auto done = migrate(**connection, migrations); !done)
            return in_file(std::move(done).error(), file_);
        auto generation = read_integer(**connection, "SELECT identity_generation FROM store_state");
        if (!generation) return in_file(std::move(generation).error(), file_);
        generation_ = static_cast<std::uint64_t>(*generation);
        auto for_checkpoints = Connection::open(file_, options_, Connection::Access::Write);
        if (!for_checkpoints) return in_file(std::move(for_checkpoints).error(), file_);
        writer_ = std::make_unique<Writer>(
            std::move(*connection), std::move(*for_checkpoints), options_, generation_);
        return {};
    }

    void write_async(Work work, std::function<void(Result<>)> done, Patience patience) override {
        writer_->submit(std::move(work), std::move(done), patience);
    }

    std::uint64_t identity_generation() override {
        const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
        auto due = next_poll_.load(std::memory_order_relaxed);
        // One thread looks for other processes' commits; the others go on with what is known.
        if (now >= due && next_poll_.compare_exchange_strong(due, now + kPollTicks)) poll();
        return generation_.load();
    }

  protected:
    Result<> submit_and_wait(Work work, Patience patience) override {
        return writer_->submit_and_wait(std::move(work), patience);
    }

    Result<> with_reader(const std::function<Result<>(Reader&)>& work) override {
        auto connection = take_reader();
        if (!connection) return std::move(connection).error();
        Lease lease{*this, std::move(*connection)};
        if (auto began = lease.connection->begin(Connection::Begin::Deferred); !began) return began;
        Reader reader(*lease.connection);
        return work(reader);
    }

  private:
    static constexpr auto kPollTicks =
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(kPollInterval).count();

    /// Ends the snapshot and gives the connection back, whatever way the read ends.
    struct Lease {
        SqliteStore& store;
        std::unique_ptr<Connection> connection;
        Lease(SqliteStore& owner, std::unique_ptr<Connection> taken)
            : store(owner), connection(std::move(taken)) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() {
            if (connection->commit()) {
                store.give_back(std::move(connection));
            } else {
                connection->rollback();  // and closed: it may have a statement under way
            }
        }
    };

    Result<std::unique_ptr<Connection>> take_reader() {
        {
            std::lock_guard lock(readers_mutex_);
            if (!readers_.empty()) {
                auto connection = std::move(readers_.back());
                readers_.pop_back();
                return connection;
            }
        }
        return Connection::open(file_, options_, Connection::Access::Read);
    }

    void give_back(std::unique_ptr<Connection> connection) {
        std::lock_guard lock(readers_mutex_);
        if (readers_.size() < kMaxIdleReaders) readers_.push_back(std::move(connection));
    }

    void poll() {
        auto found = read([](Reader& reader) { return reader.identity_generation(); });
        // A failed look leaves the number as it is; the next one is in 250 ms.
        if (!found) return;
        std::uint64_t known = generation_.load();
        while (known < *found && !generation_.compare_exchange_weak(known, *found)) {
        }
    }

    const std::filesystem::path file_;
    JoinedLog log_;  // before every connection
    Options options_;
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<std::chrono::steady_clock::rep> next_poll_{0};
    std::mutex readers_mutex_;  // guards readers_
    std::vector<std::unique_ptr<Connection>> readers_;
    std::unique_ptr<Writer> writer_;  // last: its callbacks may still read while it finishes
};

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file,
                                           std::span<const Migration> migrations,
                                           Options options) {
    if (auto there = create_if_missing(file); !there) return std::move(there).error();
    auto store = std::make_unique<SqliteStore>(file, options);
    if (auto started = store->start(migrations); !started) return std::move(started).error();
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace hatchery::store
