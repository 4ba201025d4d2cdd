// An audit of many certificates while the service goes on: HATCHERY_BENCH_CERTIFICATES (20,000
// unless set; the figures of bench/README.md are at 1,000,000), each of a thing, with a P-256 key,
// a policy and an end a year away. Names:
//   audit/all        every check there is
//   audit/NAME       one check
//   limit/rows       reading the certificates' rows by SQLite's C API, once
// Meanwhile two threads do what the service does: DescribeThing's read, and a write that is
// durable; `read_us` and `write_us` are the slowest but one in a hundred, `read_max_us` and
// `write_max_us` the slowest.
#include "provisioning/audit/audit.h"

#include "bench/directory.h"
#include "bench/must.h"
#include "ca/issuer.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"

#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <thread>

namespace {

using namespace hatchery;
using bench::must;
using std::chrono::steady_clock;

const Time kNow{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};

std::int64_t certificates() {
    return bench::count_from("HATCHERY_BENCH_CERTIFICATES", 20'000);
}

std::string thing_of(std::int64_t number) {
    return "d-" + std::to_string(number);
}

/// One filled store for all benchmarks of this program.
class Filled {
  public:
    Filled() {
        store_ = must(registry::open(file()));
        must(store_->write([&](store::Tx& tx) {
            return registry::create_policy(
                tx,
                account_,
                "meters",
                R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect",)"
                R"("Resource":"arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"}]})",
                kNow);
        }));
        const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
        const auto pattern =
            must(ca::make_root(key, "device", std::chrono::hours(24 * 365), kNow)).fields();
        serial_ = std::search(pattern.der.begin(),
                              pattern.der.end(),
                              pattern.serial_number.begin(),
                              pattern.serial_number.end()) -
                  pattern.der.begin();
        const std::int64_t real = std::min(kReal, certificates());
        must(store_->write([&](store::Tx& tx) { return fill(tx, pattern.der, real); }));
        for (std::int64_t done = real; done < certificates(); done += real) {
            must(store_->write([&](store::Tx& tx) {
                return repeat(tx, done, std::min(real, certificates() - done));
            }));
        }
    }

    store::Store& store() { return *store_; }
    const registry::Account& account() const { return account_; }
    std::filesystem::path file() const { return directory_.file("registry.db"); }

  private:
    static constexpr std::int64_t kReal = 500;

    /// Certificates that differ in their serial numbers: an audit looks at no signature.
    Result<> fill(store::Tx& tx, Bytes der, std::int64_t count) {
        for (std::int64_t number = 0; number < count; ++number) {
            for (std::size_t i = 0; i < 8; ++i) {
                der[static_cast<std::size_t>(serial_) + 4 + i] =
                    static_cast<std::uint8_t>(number >> (8 * i));
            }
            const auto certificate = must(ca::Certificate::from_der(der));
            auto added = registry::add_certificate(tx,
                                                   account_,
                                                   certificate,
                                                   registry::CertificateStatus::Active,
                                                   std::nullopt,
                                                   registry::CertificateMode::Default,
                                                   kNow);
            if (!added) return std::move(added).error();
            registry::NewThing thing;
            thing.name = thing_of(number);
            auto made = registry::create_thing(tx, account_, thing, kNow);
            if (!made) return std::move(made).error();
            auto attached =
                registry::attach_thing_principal(tx, thing.name, certificate.id(), false);
            if (!attached) return attached;
            attached = registry::attach_policy_to_certificate(tx, "meters", certificate.id());
            if (!attached) return attached;
        }
        return {};
    }

    /// The same rows again, with other names: a million by the registry's own functions would take
    /// longer than everything that is measured.
    static Result<> repeat(store::Tx& tx, std::int64_t by, std::int64_t count) {
        for (const std::string_view sql :
             {"INSERT INTO certificates SELECT key + ?1, randomblob(32), der, status, ca, mode, "
              "created, modified, not_before, not_after, customer_version, generation_id "
              "FROM certificates WHERE key <= ?2",
              "INSERT INTO things SELECT key + ?1, 'd-' || (key - 1 + ?1), randomblob(16), type, "
              "billing_group, attributes, version FROM things WHERE key <= ?2",
              "INSERT INTO thing_principals SELECT certificate + ?1, thing + ?1, exclusive "
              "FROM thing_principals WHERE certificate <= ?2",
              "INSERT INTO certificate_policies SELECT certificate + ?1, policy "
              "FROM certificate_policies WHERE certificate <= ?2"}) {
            if (auto made = tx.query(sql, by, count).run(); !made) return made;
        }
        return {};
    }

    registry::Account account_;
    bench::Directory directory_;
    std::unique_ptr<store::Store> store_;
    std::ptrdiff_t serial_ = 0;
};

Filled& filled() {
    static Filled one;
    return one;
}

/// Does something again and again, with a pause, until it is stopped.
class Meanwhile {
  public:
    explicit Meanwhile(std::function<void()> once)
        : thread_([this, once = std::move(once)](const std::stop_token& stop) {
              while (!stop.stop_requested()) {
                  const auto began = steady_clock::now();
                  once();
                  const std::chrono::duration<double, std::micro> took =
                      steady_clock::now() - began;
                  took_.push_back(took.count());
                  std::this_thread::sleep_for(std::chrono::milliseconds(2));
              }
          }) {}

    /// The slowest but one in a hundred, and the slowest; microseconds.
    std::pair<double, double> stop() {
        thread_.request_stop();
        thread_.join();
        if (took_.empty()) return {0, 0};
        std::sort(took_.begin(), took_.end());
        return {took_[took_.size() * 99 / 100], took_.back()};
    }

  private:
    std::vector<double> took_;  // the thread's, until it has ended
    std::jthread thread_;
};

void audit_of(benchmark::State& state, const std::vector<std::string>& checks) {
    store::Store& store = filled().store();
    for (auto _ : state) {
        state.PauseTiming();
        std::mt19937_64 random(7);
        Meanwhile reading([&] {
            const auto name = thing_of(
                static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(certificates())));
            must(store.read(
                [&](store::Reader& reader) { return registry::find_thing(reader, name); }));
        });
        std::int64_t written = 0;
        Meanwhile writing([&] {
            registry::ThingUpdate update;
            update.attributes = {{"at", std::to_string(++written)}};
            must(store.write(
                [&](store::Tx& tx) { return registry::update_thing(tx, thing_of(0), update); }));
        });
        const auto task = must(store.write([&](store::Tx& tx) {
            return registry::add_audit_task(tx, checks, std::nullopt, kNow);
        }));
        state.ResumeTiming();
        const auto done = must(audit::run_task(store, filled().account(), task, kNow));
        state.PauseTiming();
        for (const auto& run : done.checks) {
            if (run.status != registry::AuditCheckStatus::Compliant) std::abort();
        }
        std::tie(state.counters["read_us"].value, state.counters["read_max_us"].value) =
            reading.stop();
        std::tie(state.counters["write_us"].value, state.counters["write_max_us"].value) =
            writing.stop();
        state.ResumeTiming();
    }
    state.SetItemsProcessed(state.iterations() * certificates());
}

void limit_rows(benchmark::State& state) {
    sqlite3* database = nullptr;
    if (sqlite3_open_v2(filled().file().c_str(), &database, SQLITE_OPEN_READONLY, nullptr) !=
        SQLITE_OK)
        std::abort();
    for (auto _ : state) {
        sqlite3_stmt* rows = nullptr;
        sqlite3_prepare_v2(
            database, "SELECT id, der, status, not_after FROM certificates", -1, &rows, nullptr);
        std::int64_t bytes = 0;
        while (sqlite3_step(rows) == SQLITE_ROW)
            bytes += sqlite3_column_bytes(rows, 1);
        sqlite3_finalize(rows);
        benchmark::DoNotOptimize(bytes);
    }
    sqlite3_close(database);
    state.SetItemsProcessed(state.iterations() * certificates());
}

const bool kAdded = [] {
    std::vector<std::string> all;
    for (const auto& check : audit::all_checks())
        all.emplace_back(check.name);
    const auto add = [](const std::string& name, const std::vector<std::string>& checks) {
        benchmark::RegisterBenchmark(("audit/" + name).c_str(), audit_of, checks)
            ->Iterations(1)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
    };
    add("all", all);
    for (const auto& name : all)
        add(name, {name});
    benchmark::RegisterBenchmark("limit/rows", limit_rows)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
    return true;
}();

}  // namespace
