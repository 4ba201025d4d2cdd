// Storing one provisioning: six rows, durable before it is answered. Names:
//   store/provisioning/N     N writes under way at once, through Store (N = 1: each waits)
//   store/threads            64 threads, each waiting for its own write
//   registry/provisioning/N  the same device through the registry's functions, N under way at once
//   limit/sqlite/N           the same rows by SQLite's C API alone, N in a transaction
//   limit/fdatasync          one 4 KiB append and fdatasync: no durable commit can be faster
//   store/read               one certificate by its id, in a read transaction of its own
// Directory: HATCHERY_BENCH_DIR, or the system's temporary one; it decides what an fsync costs.
#include "bench/directory.h"
#include "ca/digest.h"
#include "ca/issuer.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <stdexcept>

namespace hatchery {
namespace {

using bench::Directory;

/// What one device leaves in the registry, with keys given by hand so that both sides do the same.
struct Device {
    std::int64_t key;
    std::array<std::uint8_t, 32> id;
    std::string name;
};
Device device(std::int64_t key) {
    std::string name = "sensor-" + std::to_string(key);
    return {key, ca::sha256(bytes_of(name)), std::move(name)};
}
const Bytes& der() {
    static const Bytes bytes(480, 0x30);
    return bytes;
}
const Bytes& uuid() {
    static const Bytes bytes(16, 7);
    return bytes;
}

constexpr std::array<const char*, 6> kSql{
    "INSERT INTO certificates(key, id, der, status, mode, created, modified, not_before, "
    "not_after, customer_version, generation_id) VALUES(?1, ?2, ?4, 0, 0, 1, 1, 1, 2, 1, ?5)",
    "INSERT INTO things(key, name, uuid, type, attributes, version) "
    "VALUES(?1, ?3, ?5, 1, '{\"model\":\"m1\",\"site\":\"s1\"}', 1)",
    "INSERT INTO thing_principals(certificate, thing, exclusive) VALUES(?1, ?1, 0)",
    "INSERT INTO certificate_policies(certificate, policy) VALUES(?1, 1)",
    "INSERT INTO thing_group_members(thing_group, thing) VALUES(1, ?1)",
    "INSERT INTO ownership_tokens(token_sha256, certificate, claim_certificate, expires) "
    "VALUES(?2, ?1, ?2, 9)"};
constexpr const char* kFixtures =
    "INSERT INTO thing_types(key, name, uuid, description, created) VALUES(1, 't', x'00', '', 1);"
    "INSERT INTO thing_groups(key, name, uuid, description, version, created) "
    "VALUES(1, 'g', x'00', '', 1, 1);"
    "INSERT INTO policies VALUES(1, 'p', 1, 1, 1, 1, x'00');"
    "INSERT INTO policy_versions VALUES(1, 1, 1, '{}');";

Result<> provision(store::Tx& tx, const Device& one) {
    for (const char* sql : kSql) {
        auto statement = tx.query(sql);
        const std::string_view text(sql);
        const auto uses = [&](std::string_view parameter) {
            return text.find(parameter) != std::string_view::npos;
        };
        if (uses("?1")) statement.bind(1, one.key);
        if (uses("?2")) statement.bind(2, ByteView(one.id));
        if (uses("?3")) statement.bind(3, std::string_view(one.name));
        if (uses("?4")) statement.bind(4, ByteView(der()));
        if (uses("?5")) statement.bind(5, ByteView(uuid()));
        if (auto done = statement.run(); !done) return done;
    }
    return {};
}

std::unique_ptr<store::Store> open_store(const Directory& directory) {
    auto store = registry::open(directory.file("bench.db"));
    if (!store) throw std::runtime_error(to_string(store.error()));
    auto made = (*store)->write([](store::Tx& tx) -> Result<> {
        std::string_view rest = kFixtures;
        while (!rest.empty()) {
            const auto end = rest.find(';');
            if (auto done = tx.query(rest.substr(0, end)).run(); !done) return done;
            rest.remove_prefix(end + 1);
        }
        return {};
    });
    if (!made) throw std::runtime_error(to_string(made.error()));
    return std::move(*store);
}

/// `count` writes under way at once, then all answers.
template <class Work>
void write_together(store::Store& store, std::int64_t count, Work work) {
    std::latch answered(count);
    for (std::int64_t i = 0; i < count; ++i) {
        store.write_async([work, i](store::Tx& tx) { return work(tx, i); },
                          [&](Result<> outcome) {
                              if (!outcome) std::abort();
                              answered.count_down();
                          });
    }
    answered.wait();
}

void BM_Store(benchmark::State& state) {
    Directory directory;
    auto store = open_store(directory);
    std::int64_t next = 1;
    for (auto _ : state) {
        write_together(*store, state.range(0), [next](store::Tx& tx, std::int64_t i) {
            return provision(tx, device(next + i));
        });
        next += state.range(0);
    }
    state.SetItemsProcessed(next - 1);
}
BENCHMARK(BM_Store)
    ->Name("store/provisioning")
    ->Arg(1)
    ->Arg(64)
    ->Arg(1024)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_StoreThreads(benchmark::State& state) {
    static std::unique_ptr<Directory> directory;
    static std::unique_ptr<store::Store> store;
    static std::atomic<std::int64_t> next;
    if (state.thread_index() == 0) {
        directory = std::make_unique<Directory>();
        store = open_store(*directory);
        next = 1;
    }
    for (auto _ : state) {
        auto done =
            store->write([key = next++](store::Tx& tx) { return provision(tx, device(key)); });
        if (!done) std::abort();
    }
    state.SetItemsProcessed(state.iterations());
    if (state.thread_index() == 0) {
        store.reset();
        directory.reset();
    }
}
BENCHMARK(BM_StoreThreads)
    ->Name("store/threads")
    ->Threads(64)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

constexpr std::int64_t kCertificates = 8'192;

const ca::Certificate& certificate(std::int64_t index) {
    static const std::vector<ca::Certificate> all = [] {
        std::vector<ca::Certificate> made;
        auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
        for (std::int64_t i = 0; i < kCertificates; ++i) {
            made.push_back(
                *ca::make_root(*key, "sensor-" + std::to_string(i), std::chrono::hours(1), Time()));
        }
        return made;
    }();
    return all.at(static_cast<std::size_t>(index));
}

Result<> register_device(store::Tx& tx, std::int64_t index) {
    using registry::CertificateStatus;
    static const registry::Account account;
    const ca::Certificate& leaf = certificate(index);
    const std::string name = "sensor-" + std::to_string(index);
    auto added = registry::add_certificate(tx,
                                           account,
                                           leaf,
                                           CertificateStatus::PendingActivation,
                                           std::nullopt,
                                           registry::CertificateMode::Default,
                                           Time());
    if (!added) return added.error();
    const registry::NewThing wanted{name, "t", {{"model", "m1"}, {"site", "s1"}}, {}};
    auto thing = registry::create_thing(tx, account, wanted, Time());
    if (!thing) return thing.error();
    if (auto done = registry::add_thing_to_group(tx, name, "g"); !done) return done;
    if (auto done = registry::attach_thing_principal(tx, name, leaf.id(), false); !done)
        return done;
    if (auto done = registry::attach_policy_to_certificate(tx, "p", leaf.id()); !done) return done;
    return registry::set_certificate_status(tx, leaf.id(), CertificateStatus::Active, Time());
}

Result<> forget_devices(store::Tx& tx) {
    for (const char* sql : {"DELETE FROM thing_group_members",
                            "DELETE FROM certificate_policies",
                            "DELETE FROM thing_principals",
                            "DELETE FROM things",
                            "DELETE FROM certificates"}) {
        if (auto done = tx.query(sql).run(); !done) return done;
    }
    return {};
}

void BM_Registry(benchmark::State& state) {
    certificate(0);
    Directory directory;
    auto store = open_store(directory);
    std::int64_t next = 0;
    for (auto _ : state) {
        if (next + state.range(0) > kCertificates) {
            state.PauseTiming();
            if (!store->write(forget_devices)) std::abort();
            next = 0;
            state.ResumeTiming();
        }
        write_together(*store, state.range(0), [next](store::Tx& tx, std::int64_t i) {
            return register_device(tx, next + i);
        });
        next += state.range(0);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Registry)
    ->Name("registry/provisioning")
    ->Arg(1)
    ->Arg(64)
    ->Arg(1024)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_Read(benchmark::State& state) {
    constexpr std::int64_t kDevices = 10'000;
    Directory directory;
    auto store = open_store(directory);
    write_together(*store, kDevices, [](store::Tx& tx, std::int64_t i) {
        return provision(tx, device(1 + i));
    });
    std::int64_t next = 0;
    for (auto _ : state) {
        CertificateId id{device(1 + next++ % kDevices).id};
        auto found = store->read(
            [&](store::Reader& reader) { return registry::find_certificate(reader, id); });
        if (!found) std::abort();
        benchmark::DoNotOptimize(found);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Read)->Name("store/read");

/// The limit: the same rows, pragmas and transactions without anything of ours between.
class RawSqlite {
  public:
    explicit RawSqlite(const std::filesystem::path& file) {
        if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) throw std::runtime_error("open");
        run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000");
        for (std::size_t i = 0; i < kSql.size(); ++i)
            sqlite3_prepare_v2(db_, kSql.at(i), -1, &statements_.at(i), nullptr);
    }
    ~RawSqlite() {
        for (sqlite3_stmt* statement : statements_)
            sqlite3_finalize(statement);
        sqlite3_close(db_);
    }
    RawSqlite(const RawSqlite&) = delete;
    RawSqlite& operator=(const RawSqlite&) = delete;

    void run(const char* sql) {
        if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
            throw std::runtime_error(sqlite3_errmsg(db_));
    }
    void provision(const Device& one) {
        for (sqlite3_stmt* statement : statements_) {
            // A parameter that the statement does not have is an error without effect.
            sqlite3_bind_int64(statement, 1, one.key);
            bind_blob(statement, 2, one.id);
            sqlite3_bind_text(
                statement, 3, one.name.data(), static_cast<int>(one.name.size()), nullptr);
            bind_blob(statement, 4, der());
            bind_blob(statement, 5, uuid());
            if (sqlite3_step(statement) != SQLITE_DONE)
                throw std::runtime_error(sqlite3_errmsg(db_));
            sqlite3_reset(statement);
        }
    }

  private:
    static void bind_blob(sqlite3_stmt* statement, int index, ByteView bytes) {
        sqlite3_bind_blob(statement, index, bytes.data(), static_cast<int>(bytes.size()), nullptr);
    }
    sqlite3* db_ = nullptr;
    std::array<sqlite3_stmt*, kSql.size()> statements_{};
};

void BM_RawSqlite(benchmark::State& state) {
    Directory directory;
    open_store(directory).reset();
    RawSqlite raw(directory.file("bench.db"));
    std::int64_t next = 1;
    for (auto _ : state) {
        raw.run("BEGIN IMMEDIATE");
        for (std::int64_t i = 0; i < state.range(0); ++i)
            raw.provision(device(next++));
        raw.run("COMMIT");
    }
    state.SetItemsProcessed(next - 1);
}
BENCHMARK(BM_RawSqlite)
    ->Name("limit/sqlite")
    ->Arg(1)
    ->Arg(64)
    ->Arg(1024)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void BM_Fdatasync(benchmark::State& state) {
    Directory directory;
    const int file = ::open(directory.file("bench.db").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const Bytes page(4096, 1);
    // In place, as the log is after its first round.
    constexpr off_t kPages = 4'000;
    for (off_t i = 0; i < kPages; ++i) {
        if (pwrite(file, page.data(), page.size(), i * 4096) != 4096) std::abort();
    }
    fsync(file);
    off_t next = 0;
    for (auto _ : state) {
        if (pwrite(file, page.data(), page.size(), next++ % kPages * 4096) != 4096) std::abort();
        if (fdatasync(file) != 0) std::abort();
    }
    ::close(file);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Fdatasync)->Name("limit/fdatasync")->UseRealTime();

}  // namespace
}  // namespace hatchery
