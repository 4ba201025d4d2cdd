// The registry's look-ups among many things: HATCHERY_BENCH_THINGS (100,000 unless set; the figures
// of bench/README.md are at 1,000,000). Names:
//   registry/list_things           a page of 250 at a random place of the list
//   registry/search_indexed        SearchIndex on an indexed attribute, a page of 100 of about 100
//   registry/search_indexed_deep   the same where a tenth of all things match: its page after 5,000
//   registry/list_by_attribute     ListThings by that attribute
//   registry/find_thing            DescribeThing
//   registry/open                  opening the store, migrations checked: start-up
//   limit/sqlite_page              the 251 rows of such a page by SQLite's C API, nothing made of
//   them
#include "bench/directory.h"
#include "bench/must.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/search.h"
#include "provisioning/registry/things.h"

#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <cstdlib>
#include <random>

namespace {

using namespace hatchery;
using bench::must;

std::int64_t things() {
    return bench::count_from("HATCHERY_BENCH_THINGS", 100'000);
}

std::string name_of(std::int64_t number) {
    // Spread over the index, as serial numbers are.
    std::mt19937_64 mixed(static_cast<std::uint64_t>(number));
    return "sensor-" + std::to_string(mixed());
}

/// One filled store for all benchmarks of this program.
class Filled {
  public:
    Filled() {
        store_ = must(registry::open(file()));
        registry::ThingType type;
        type.name = "Sensor";
        type.searchable_attributes = {"batch"};
        must(store_->write([&](store::Tx& tx) {
            return registry::create_thing_type(tx, account_, type, Time{});
        }));
        constexpr std::int64_t kAtOnce = 1'000;
        for (std::int64_t done = 0; done < things(); done += kAtOnce)
            must(store_->write([&](store::Tx& tx) { return fill(tx, done, done + kAtOnce); }));
    }

    store::Store& store() { return *store_; }
    std::filesystem::path file() const { return directory_.file("registry.db"); }

  private:
    /// A batch of about a hundred, and one that a tenth of all things share.
    Result<> fill(store::Tx& tx, std::int64_t from, std::int64_t to) {
        for (std::int64_t number = from; number < to; ++number) {
            const std::int64_t batch = number % 10 == 0 ? 0 : number % (things() / 100 + 1);
            registry::NewThing thing;
            thing.name = name_of(number);
            thing.thing_type = "Sensor";
            thing.attributes = {{"batch", "b" + std::to_string(batch)},
                                {"firmware", "1.4." + std::to_string(number % 7)},
                                {"site", "hall-" + std::to_string(number % 40)}};
            auto made = registry::create_thing(tx, account_, thing, Time{});
            if (!made) return std::move(made).error();
        }
        return {};
    }

    registry::Account account_;
    bench::Directory directory_;
    std::unique_ptr<store::Store> store_;
};

Filled& filled() {
    static Filled one;
    return one;
}

std::int64_t random_number(std::mt19937_64& random) {
    return std::uniform_int_distribution<std::int64_t>(0, things() - 1)(random);
}

void list_things(benchmark::State& state) {
    auto& store = filled().store();
    std::mt19937_64 random(1);
    for (auto _ : state) {
        const registry::PageRequest request{name_of(random_number(random)), 250};
        auto page = must(store.read(
            [&](store::Reader& reader) { return registry::list_things(reader, request, {}); }));
        benchmark::DoNotOptimize(page);
    }
}
BENCHMARK(list_things)->Name("registry/list_things")->Unit(benchmark::kMicrosecond);

void search(benchmark::State& state, const std::string& text, const std::string& after) {
    auto& store = filled().store();
    const auto query = must(registry::SearchQuery::parse(text));
    std::size_t found = 0;
    for (auto _ : state) {
        auto page = must(store.read([&](store::Reader& reader) {
            return registry::search_things(reader, query, {after, 100});
        }));
        found = page.items.size();
    }
    state.counters["found"] = static_cast<double>(found);
}
void search_indexed(benchmark::State& state) {
    search(state, "attributes.batch:b7", "");
}
BENCHMARK(search_indexed)->Name("registry/search_indexed")->Unit(benchmark::kMicrosecond);
void search_indexed_deep(benchmark::State& state) {
    search(state, "attributes.batch:b0 AND attributes.site:hall*", "50000");
}
BENCHMARK(search_indexed_deep)->Name("registry/search_indexed_deep")->Unit(benchmark::kMicrosecond);

void list_by_attribute(benchmark::State& state) {
    auto& store = filled().store();
    registry::ThingFilter filter;
    filter.attribute_name = "batch";
    filter.attribute_value = "b7";
    for (auto _ : state) {
        auto page = must(store.read(
            [&](store::Reader& reader) { return registry::list_things(reader, {}, filter); }));
        benchmark::DoNotOptimize(page);
    }
}
BENCHMARK(list_by_attribute)->Name("registry/list_by_attribute")->Unit(benchmark::kMicrosecond);

void find_thing(benchmark::State& state) {
    auto& store = filled().store();
    std::mt19937_64 random(2);
    for (auto _ : state) {
        const auto name = name_of(random_number(random));
        auto thing = must(
            store.read([&](store::Reader& reader) { return registry::find_thing(reader, name); }));
        benchmark::DoNotOptimize(thing);
    }
}
BENCHMARK(find_thing)->Name("registry/find_thing")->Unit(benchmark::kMicrosecond);

void open_store(benchmark::State& state) {
    const auto file = filled().file();
    for (auto _ : state) {
        auto store = must(registry::open(file));
        auto thing = store->read(
            [](store::Reader& reader) { return registry::find_thing(reader, name_of(1)); });
        benchmark::DoNotOptimize(thing);
    }
}
BENCHMARK(open_store)->Name("registry/open")->Unit(benchmark::kMillisecond)->Iterations(20);

void limit_page(benchmark::State& state) {
    sqlite3* database = nullptr;
    if (sqlite3_open_v2(filled().file().c_str(), &database, SQLITE_OPEN_READONLY, nullptr) !=
        SQLITE_OK)
        std::abort();
    sqlite3_stmt* page = nullptr;
    if (sqlite3_prepare_v2(database,
                           "SELECT name, type, attributes, version FROM things WHERE name > ? "
                           "ORDER BY name LIMIT 251",
                           -1,
                           &page,
                           nullptr) != SQLITE_OK)
        std::abort();
    std::mt19937_64 random(1);
    for (auto _ : state) {
        const auto name = name_of(random_number(random));
        sqlite3_bind_text(
            page, 1, name.data(), static_cast<int>(name.size()), nullptr);  // static until reset
        while (sqlite3_step(page) == SQLITE_ROW)
            benchmark::DoNotOptimize(sqlite3_column_text(page, 2));
        sqlite3_reset(page);
    }
    sqlite3_finalize(page);
    sqlite3_close(database);
}
BENCHMARK(limit_page)->Name("limit/sqlite_page")->Unit(benchmark::kMicrosecond);

}  // namespace
