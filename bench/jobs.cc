// A job to many things: HATCHERY_BENCH_THINGS (100,000 unless set) in one group. Names:
//   jobs/create_job        create_job to the group, until every execution is durable
//   limit/sqlite_rows      the same rows, indexes and triggers by one INSERT … SELECT, one commit
//   jobs/create_while_writing   the longest that another writer waits while a job is made (counter
//                               wait_ms): its own small commits, one after the other
//   jobs/look              what the server does five times a second for a job with a threshold that
//                          is not met
#include "bench/directory.h"
#include "bench/must.h"
#include "provisioning/jobs/schedule.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>

namespace {

using namespace hatchery;
using bench::must;

std::int64_t things() {
    return bench::count_from("HATCHERY_BENCH_THINGS", 100'000);
}

/// One store with the group "fleet" for all benchmarks of this program.
class Fleet {
  public:
    Fleet() {
        store_ = must(registry::open(directory_.file("registry.db")));
        registry::ThingGroup group;
        group.name = "fleet";
        must(store_->write([&](store::Tx& tx) {
            return registry::create_thing_group(tx, account_, group, Time{});
        }));
        constexpr std::int64_t kAtOnce = 1'000;
        for (std::int64_t done = 0; done < things(); done += kAtOnce)
            must(store_->write([&](store::Tx& tx) { return fill(tx, done, done + kAtOnce); }));
    }

    store::Store& store() { return *store_; }
    jobs::Context context() { return {*store_, account_, {}}; }
    jobs::NewJob job(std::string id) {
        jobs::NewJob wanted;
        wanted.id = std::move(id);
        wanted.document = R"({"operation":"reboot"})";
        wanted.targets = {account_.arn("thinggroup", "fleet")};
        return wanted;
    }
    void remove(const std::string& id) { must(jobs::delete_job(context(), id, true, Time{})); }

  private:
    Result<> fill(store::Tx& tx, std::int64_t from, std::int64_t to) {
        for (std::int64_t i = from; i < to; ++i) {
            const std::string name = "sensor-" + std::to_string(i);
            auto made = registry::create_thing(tx, account_, {name, {}, {}, {}}, Time{});
            if (!made) return std::move(made).error();
            if (auto in = registry::add_thing_to_group(tx, name, "fleet"); !in) return in;
        }
        return {};
    }

    bench::Directory directory_;
    registry::Account account_;
    std::unique_ptr<store::Store> store_;
};

Fleet& fleet() {
    static Fleet all;
    return all;
}

void create_job(benchmark::State& state) {
    Fleet& all = fleet();
    for (auto _ : state) {
        must(jobs::create_job(all.context(), all.job("bench"), Time{}));
        state.PauseTiming();
        all.remove("bench");
        state.ResumeTiming();
    }
    state.counters["executions/s"] = benchmark::Counter(
        static_cast<double>(things() * state.iterations()), benchmark::Counter::kIsRate);
}

void sqlite_rows(benchmark::State& state) {
    Fleet& all = fleet();
    for (auto _ : state) {
        must(all.store().write([&](store::Tx& tx) -> Result<> {
            registry::Job job;
            job.id = "limit";
            job.document = "{}";
            auto key = registry::add_job(tx, {}, job);
            if (!key) return std::move(key).error();
            return tx
                .query(
                    "INSERT INTO job_executions(job, thing, number, status, version, queued, "
                    "updated, is_direct) SELECT ?, key, 1, 0, 1, 0, 0, 0 FROM things",
                    *key)
                .run();
        }));
        state.PauseTiming();
        all.remove("limit");
        state.ResumeTiming();
    }
    state.counters["executions/s"] = benchmark::Counter(
        static_cast<double>(things() * state.iterations()), benchmark::Counter::kIsRate);
}

void create_while_writing(benchmark::State& state) {
    using Clock = std::chrono::steady_clock;
    Fleet& all = fleet();
    double longest = 0;
    for (auto _ : state) {
        std::atomic<bool> is_done = false;
        std::thread other([&] {
            while (!is_done) {
                const auto start = Clock::now();
                must(all.store().write([](store::Tx& tx) {
                    return tx
                        .query(
                            "INSERT INTO meta(name, value) VALUES('bench', '1') "
                            "ON CONFLICT DO UPDATE SET value = value || '1'")
                        .run();
                }));
                longest = std::max(
                    longest,
                    std::chrono::duration<double, std::milli>(Clock::now() - start).count());
            }
        });
        must(jobs::create_job(all.context(), all.job("beside"), Time{}));
        is_done = true;
        other.join();
        state.PauseTiming();
        all.remove("beside");
        state.ResumeTiming();
    }
    state.counters["wait_ms"] = longest;
}

void look(benchmark::State& state) {
    Fleet& all = fleet();
    jobs::NewJob job = all.job("guarded");
    job.settings = R"({"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL",
        "thresholdPercentage":50,"minNumberOfExecutedThings":1}]}})";
    must(jobs::create_job(all.context(), job, Time{}));
    for (auto _ : state)
        benchmark::DoNotOptimize(must(jobs::advance(all.context(), Time{})));
    all.remove("guarded");
}

BENCHMARK(create_job)
    ->Name("jobs/create_job")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3)
    ->UseRealTime();
BENCHMARK(sqlite_rows)
    ->Name("limit/sqlite_rows")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(3)
    ->UseRealTime();
BENCHMARK(create_while_writing)
    ->Name("jobs/create_while_writing")
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2)
    ->UseRealTime();
BENCHMARK(look)->Name("jobs/look")->Unit(benchmark::kMicrosecond);

}  // namespace
