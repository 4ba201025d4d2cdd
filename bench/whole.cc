// Whole provisioning records (certificate, thing with attributes, two groups, attachments to thing
// and policy) in a store that holds many already, 256 under way at once, beside a bare SQLite loop
// with the leanest schema that still answers a connect: no reverse look-up, no foreign key, no
// check. It has what any store must have: the ids and names are unique, each commit of as many
// records is followed by its fsync. Names, N = the records that are there before:
//   whole/store/N     the registry's functions, as one first connect runs them
//   whole/rows/N      the registry's schema, its rows inserted without any of its checks
//   limit/lean/N      the lean schema by SQLite's C API, 256 in a transaction
//   limit/answers/N   the same with what the control plane has to answer at once: UUIDs, times, and
//                     the indexes of the other direction (things of a group, of a type, of a
//                     policy's certificates), still without foreign keys
// HATCHERY_BENCH_SETS="10000 1000000 5000000" sets N (10,000 unless set), HATCHERY_BENCH_DIR the
// directory; it decides what an fsync costs. Five million of all four need 17 GB and a quarter of
// an hour to fill; --benchmark_filter='limit/lean|whole/store' fills those two only.
#include "bench/directory.h"
#include "bench/must.h"
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

#include <cstdlib>
#include <filesystem>
#include <latch>
#include <sstream>

namespace {

using namespace hatchery;
using bench::must;

constexpr std::int64_t kAtOnce = 256;
constexpr std::int64_t kWarm = 8;  // so many commits of kAtOnce first, as after an hour's service
constexpr std::int64_t kGroups = 40;  // measured: so many more
constexpr std::int64_t kCacheBytes = 64 << 20;

/// One SQLite database by the C API.
class Raw {
  public:
    explicit Raw(const std::filesystem::path& file) {
        if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) std::abort();
        run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY; "
            "PRAGMA cache_size=-" +
            std::to_string(kCacheBytes / 1024));
    }
    ~Raw() {
        for (sqlite3_stmt* statement : statements_)
            sqlite3_finalize(statement);
        sqlite3_close(db_);
    }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;

    void run(const std::string& sql) {
        char* why = nullptr;
        if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &why) == SQLITE_OK) return;
        std::fprintf(stderr, "%s: %s\n", sql.substr(0, 200).c_str(), why);
        std::abort();
    }
    void prepare(std::initializer_list<const char*> texts) {
        for (const char* text : texts) {
            statements_.push_back(nullptr);
            if (sqlite3_prepare_v2(db_, text, -1, &statements_.back(), nullptr) != SQLITE_OK)
                std::abort();
        }
    }
    /// ?1 key, ?2 certificate id, ?3 thing name, ?4 DER. A parameter that a statement does not have
    /// is an error without effect.
    void insert(std::int64_t key, ByteView id, std::string_view name, ByteView der) {
        for (sqlite3_stmt* statement : statements_) {
            sqlite3_bind_int64(statement, 1, key);
            sqlite3_bind_blob(statement, 2, id.data(), static_cast<int>(id.size()), nullptr);
            sqlite3_bind_text(statement, 3, name.data(), static_cast<int>(name.size()), nullptr);
            sqlite3_bind_blob(statement, 4, der.data(), static_cast<int>(der.size()), nullptr);
            if (sqlite3_step(statement) != SQLITE_DONE) {
                std::fprintf(stderr, "%s\n", sqlite3_errmsg(db_));
                std::abort();
            }
            sqlite3_reset(statement);
        }
    }

  private:
    sqlite3* db_ = nullptr;
    std::vector<sqlite3_stmt*> statements_;
};

constexpr const char* kLeanSchema =
    "CREATE TABLE certificates(key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, der BLOB, status "
    "INTEGER);"
    "CREATE TABLE things(key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type INTEGER, "
    "attributes TEXT);"
    "CREATE TABLE thing_principals(certificate INTEGER, thing INTEGER, PRIMARY KEY(certificate, "
    "thing)) WITHOUT ROWID;"
    "CREATE TABLE certificate_policies(certificate INTEGER, policy INTEGER, PRIMARY "
    "KEY(certificate, policy)) WITHOUT ROWID;"
    "CREATE TABLE members(thing INTEGER, thing_group INTEGER, PRIMARY KEY(thing, thing_group)) "
    "WITHOUT ROWID;";
constexpr std::initializer_list<const char*> kLeanRows{
    "INSERT INTO certificates VALUES(?1, ?2, ?4, 0)",
    R"(INSERT INTO things VALUES(?1, ?3, 1, '{"model":"m1","site":"s1"}'))",
    "INSERT INTO thing_principals VALUES(?1, ?1)",
    "INSERT INTO certificate_policies VALUES(?1, 1)",
    "INSERT INTO members VALUES(?1, 1)",
    "INSERT INTO members VALUES(?1, 2)"};
constexpr const char* kAnsweringSchema =
    "CREATE TABLE certificates(key INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, der BLOB, status "
    "INTEGER, created INTEGER, modified INTEGER, generation_id BLOB);"
    "CREATE TABLE things(key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uuid BLOB, type "
    "INTEGER, attributes TEXT, version INTEGER);"
    "CREATE INDEX things_by_type ON things(type);"
    "CREATE TABLE thing_principals(certificate INTEGER, thing INTEGER, PRIMARY KEY(certificate, "
    "thing)) WITHOUT ROWID;"
    "CREATE INDEX thing_principals_by_thing ON thing_principals(thing);"
    "CREATE TABLE certificate_policies(certificate INTEGER, policy INTEGER, PRIMARY "
    "KEY(certificate, policy)) WITHOUT ROWID;"
    "CREATE INDEX certificate_policies_by_policy ON certificate_policies(policy);"
    "CREATE TABLE members(thing INTEGER, thing_group INTEGER, PRIMARY KEY(thing, thing_group)) "
    "WITHOUT ROWID;"
    "CREATE INDEX members_by_group ON members(thing_group);";
constexpr std::initializer_list<const char*> kAnsweringRows{
    "INSERT INTO certificates VALUES(?1, ?2, ?4, 0, 1, 1, x'00112233445566778899aabbccddeeff')",
    "INSERT INTO things VALUES(?1, ?3, x'00112233445566778899aabbccddeeff', 1, "
    R"('{"model":"m1","site":"s1"}', 1))",
    "INSERT INTO thing_principals VALUES(?1, ?1)",
    "INSERT INTO certificate_policies VALUES(?1, 1)",
    "INSERT INTO members VALUES(?1, 1)",
    "INSERT INTO members VALUES(?1, 2)"};
constexpr std::initializer_list<const char*> kRegistryRows{
    "INSERT INTO certificates(key, id, der, status, mode, created, modified, not_before, "
    "not_after, "
    "customer_version, generation_id) VALUES(?1, ?2, ?4, 0, 0, 1, 1, 1, 2, 1, "
    "x'00112233445566778899aabbccddeeff')",
    "INSERT INTO things(key, name, uuid, type, attributes, version) VALUES(?1, ?3, "
    R"(x'00112233445566778899aabbccddeeff', 1, '{"model":"m1","site":"s1"}', 1))",
    "INSERT INTO thing_principals(certificate, thing, exclusive) VALUES(?1, ?1, 0)",
    "INSERT INTO certificate_policies(certificate, policy) VALUES(?1, 1)",
    "INSERT INTO thing_group_members(thing_group, thing) VALUES(1, ?1)",
    "INSERT INTO thing_group_members(thing_group, thing) VALUES(2, ?1)"};

/// A name without order, as serial numbers of many lines are.
std::string name_of(std::int64_t number) {
    return "sensor-" + to_hex(ca::sha256(bytes_of(std::to_string(number)))).substr(0, 12);
}

const std::vector<ca::Certificate>& certificates() {
    static const std::vector<ca::Certificate> all = [] {
        std::vector<ca::Certificate> made;
        auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        for (std::int64_t i = 0; i < (kWarm + kGroups) * kAtOnce; ++i)
            made.push_back(must(ca::make_root(key, "sensor", std::chrono::hours(1), Time())));
        return made;
    }();
    return all;
}

/// A directory with up to four databases, each filled with `count` records when it is asked for.
class Filled {
  public:
    explicit Filled(std::int64_t count) : count_(count) { certificates(); }

    /// "lean", "answers", "store", or "rows", which is a copy of "store" before that is written to.
    std::filesystem::path file(const std::string& name) const {
        const auto path = directory_.file(name);
        if (std::filesystem::exists(path)) return path;
        if (name == "lean") {
            Raw(path).run(kLeanSchema);
            fill(path, kLeanRows);
        } else if (name == "answers") {
            Raw(path).run(kAnsweringSchema);
            fill(path, kAnsweringRows);
        } else if (name == "rows") {
            std::filesystem::copy_file(file("store"), path);
            sync(path);
        } else {
            make_registry(path);
            fill(path, kRegistryRows);
        }
        return path;
    }
    std::int64_t count() const { return count_; }

  private:
    static void make_registry(const std::filesystem::path& path) {
        auto store = must(registry::open(path));
        must(store->write([](store::Tx& tx) -> Result<> {
            registry::ThingType type;
            type.name = "t";
            must(registry::create_thing_type(tx, {}, type, Time()));
            for (const char* name : {"g", "h"}) {
                registry::ThingGroup group;
                group.name = name;
                must(registry::create_thing_group(tx, {}, group, Time()));
            }
            return registry::create_policy(tx, {}, "p", "{}", Time()).map([](const auto&) {});
        }));
    }

    /// In large transactions without fsync; at its end the log is moved into the database, and
    /// that onto the disk.
    void fill(const std::filesystem::path& path, std::initializer_list<const char*> rows) const {
        Raw raw(path);
        raw.run("PRAGMA synchronous=OFF; PRAGMA cache_size=-2000000");
        raw.prepare(rows);
        const Bytes der(480, 0x30);
        raw.run("BEGIN");
        for (std::int64_t key = 1; key <= count_; ++key) {
            const std::string thing = name_of(key);
            raw.insert(key, ca::sha256(bytes_of(thing)), thing, der);
            if (key % 100'000 == 0) raw.run("COMMIT; BEGIN");
        }
        raw.run("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
        sync(path);
    }

    /// The disk is to be idle when the measuring begins.
    static void sync(const std::filesystem::path& path) {
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (descriptor < 0 || ::fsync(descriptor) != 0) std::abort();
        ::close(descriptor);
    }

    std::int64_t count_;
    bench::Directory directory_;
};

Result<> register_device(store::Tx& tx, std::int64_t index, const std::string& name) {
    using registry::CertificateStatus;
    const ca::Certificate& leaf = certificates()[static_cast<std::size_t>(index)];
    auto added = registry::add_certificate(tx,
                                           {},
                                           leaf,
                                           CertificateStatus::Active,
                                           std::nullopt,
                                           registry::CertificateMode::Default,
                                           Time());
    if (!added) return std::move(added).error();
    const registry::NewThing wanted{name, "t", {{"model", "m1"}, {"site", "s1"}}, {}};
    auto thing = registry::add_thing(tx, wanted);
    if (!thing) return std::move(thing).error();
    if (!*thing) return fail(Code::AlreadyExists, "thing " + name + " is there already");
    for (const char* group : {"g", "h"}) {
        if (auto done = registry::add_thing_to_group(tx, **thing, group); !done) return done;
    }
    auto policy = registry::known_policy(tx, "p");
    if (!policy) return std::move(policy).error();
    auto done = registry::attach_policy_to_certificate(tx, **policy, *added);
    if (!done) return done;
    return registry::attach_thing_principal(tx, **thing, *added, false);
}

template <class RunGroup>
void measure(benchmark::State& state, const RunGroup& run_group) {
    for (std::int64_t group = 0; group < kWarm; ++group)
        run_group();
    for (auto _ : state)
        run_group();
    state.SetItemsProcessed(kAtOnce * state.iterations());
}

void whole_store(benchmark::State& state, const std::shared_ptr<Filled>& filled) {
    store::Store::Options options;
    options.cache_bytes = kCacheBytes;
    auto store = must(registry::open(filled->file("store"), options));
    std::int64_t next = 0;
    const auto run_group = [&] {
        std::latch answered(kAtOnce);
        for (std::int64_t i = 0; i < kAtOnce; ++i, ++next) {
            store->write_async([next, name = name_of(filled->count() + 1 + next)](
                                   store::Tx& tx) { return register_device(tx, next, name); },
                               [&](const Result<>& outcome) {
                                   must(outcome);
                                   answered.count_down();
                               });
        }
        answered.wait();
    };
    measure(state, run_group);
}

void whole_raw(benchmark::State& state,
               const std::shared_ptr<Filled>& filled,
               const std::string& which,
               std::initializer_list<const char*> rows) {
    Raw raw(filled->file(which));
    raw.run("PRAGMA synchronous=FULL; PRAGMA foreign_keys=" +
            std::string(which == "rows" ? "ON" : "OFF"));
    raw.prepare(rows);
    std::int64_t next = 0;
    const auto run_group = [&] {
        raw.run("BEGIN IMMEDIATE");
        for (std::int64_t i = 0; i < kAtOnce; ++i, ++next) {
            const auto& leaf = certificates()[static_cast<std::size_t>(next)];
            const std::string name = name_of(filled->count() + 1 + next);
            raw.insert(filled->count() + 1 + next, leaf.id().view(), name, leaf.fields().der);
        }
        raw.run("COMMIT");
    };
    measure(state, run_group);
}

/// Filled when its first benchmark runs, gone with its last.
struct Lazy {
    std::int64_t count;
    std::shared_ptr<Filled> filled;
    const std::shared_ptr<Filled>& get() {
        if (!filled) filled = std::make_shared<Filled>(count);
        return filled;
    }
};

const bool kRegistered = [] {
    const char* wanted = std::getenv("HATCHERY_BENCH_SETS");  // NOLINT(concurrency-mt-unsafe)
    std::istringstream sizes(wanted == nullptr ? "10000" : wanted);
    for (std::int64_t count = 0; sizes >> count;) {
        auto lazy = std::make_shared<Lazy>(Lazy{count, nullptr});
        const std::string suffix = "/" + std::to_string(count);
        const auto add = [&](const std::string& name, auto run) {
            benchmark::RegisterBenchmark((name + suffix).c_str(), run)
                ->Iterations(kGroups)
                ->MeasureProcessCPUTime()
                ->UseRealTime()
                ->Unit(benchmark::kMillisecond);
        };
        add("limit/lean",
            [lazy](benchmark::State& state) { whole_raw(state, lazy->get(), "lean", kLeanRows); });
        add("limit/answers", [lazy](benchmark::State& state) {
            whole_raw(state, lazy->get(), "answers", kAnsweringRows);
        });
        add("whole/rows", [lazy](benchmark::State& state) {
            whole_raw(state, lazy->get(), "rows", kRegistryRows);
        });
        add("whole/store", [lazy](benchmark::State& state) {
            whole_store(state, lazy->get());
            lazy->filled.reset();
        });
    }
    return true;
}();

}  // namespace
