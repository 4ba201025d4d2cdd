// What a hook adds to a provisioning: look-up in a large list (HATCHERY_BENCH_ROWS rows, a million
// if not set) and its import, a warm Python handler, a command worker, rules, the example plugin.
// Limits beside them: a look-up of an integer key in the same database, and a line through a pipe
// to another process and back.
#include "bench/must.h"
#include "hooks/hook.h"
#include "provisioning/flows/reservations.h"
#include "provisioning/registry/allow_list.h"
#include "provisioning/registry/schema.h"

#include <benchmark/benchmark.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace {

using namespace hatchery;
using bench::must;

std::int64_t row_count() {
    const char* text = std::getenv("HATCHERY_BENCH_ROWS");
    return text == nullptr ? 1'000'000 : std::max(1L, std::atol(text));
}

std::string serial_at(std::int64_t number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "SN-%012lld", static_cast<long long>(number));
    return text.data();
}

/// A folder of this process, removed at its end.
struct Folder {
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "hooks-bench.XXXXXX");
        path = mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
    std::filesystem::path path;
};

const Folder& folder() {
    static const Folder kFolder;
    return kFolder;
}

long resident_kib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// The list with all rows, and how it got there.
struct LargeList {
    LargeList() : store(must(registry::open(folder().path / "large.db"))) {
        const auto before = resident_kib();
        const auto start = std::chrono::steady_clock::now();
        const auto rows = row_count();
        constexpr std::int64_t kGroup = 8192;  // as `hatchery allow import`
        for (std::int64_t first = 0; first < rows; first += kGroup) {
            std::vector<registry::AllowedSerial> group;
            for (auto i = first; i < std::min(rows, first + kGroup); ++i)
                group.push_back({serial_at(i * 7)});
            must(store->write([&](store::Tx& tx) {
                return registry::add_serials(tx, "large", group, registry::OnExisting::Skip);
            }));
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        rows_a_second = static_cast<double>(rows) / took.count();
        kib_grown = resident_kib() - before;
    }
    std::unique_ptr<store::Store> store;
    double rows_a_second = 0;
    long kib_grown = 0;
};

LargeList& large_list() {
    static LargeList list;
    return list;
}

void AllowListImport(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(large_list());
    state.counters["rows"] = static_cast<double>(row_count());
    state.counters["rows/s"] = large_list().rows_a_second;
    state.counters["MiB_grown"] = static_cast<double>(large_list().kib_grown) / 1024;
}
BENCHMARK(AllowListImport)->Iterations(1)->Unit(benchmark::kSecond);

hooks::HookEvent event_with(std::string serial) {
    hooks::HookEvent event;
    event.claim_certificate_id = std::string(64, 'a');
    event.certificate_id = std::string(64, 'b');
    event.certificate_pem = std::string(1200, 'x');
    event.template_arn = "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/fleet";
    event.client_id = "fleet-device";
    event.parameters["SerialNumber"] = std::move(serial);
    return event;
}

hooks::HookSet set_of(hooks::HookConfig config, hooks::SerialLists* lists = nullptr) {
    spdlog::set_level(spdlog::level::off);
    config.name = "h";
    return must(hooks::HookSet::make({config}, {lists}));
}

/// Each iteration one decision; the median is the figure, since workers start in the first.
void decide_all(benchmark::State& state, const hooks::HookSet& set, const std::string& serial) {
    const auto event = event_with(serial);
    std::vector<double> microseconds;
    if (!must(set.decide("h", event)).allow) std::abort();
    for (auto _ : state) {
        const auto start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(set.decide("h", event));
        microseconds.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
                .count());
    }
    std::sort(microseconds.begin(), microseconds.end());
    state.counters["p50_us"] = microseconds[microseconds.size() / 2];
    state.counters["p99_us"] = microseconds[microseconds.size() * 99 / 100];
}

void AllowListLookUp(benchmark::State& state) {
    flows::RegistryLists lists(*large_list().store);
    hooks::HookConfig config;
    config.kind = "allow-list";
    config.list = "large";
    const auto set = set_of(config, &lists);
    std::mt19937_64 random(1);
    for (auto _ : state) {
        const auto row =
            static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(row_count()));
        const auto decision = set.decide("h", event_with(serial_at(row * 7)));
        if (!decision || !decision->allow) std::abort();
    }
}
BENCHMARK(AllowListLookUp)->Unit(benchmark::kMicrosecond);

/// Limit of AllowListLookUp: one row by its integer key, in a read transaction of its own.
void AllowListLimitRowByKey(benchmark::State& state) {
    for (auto _ : state) {
        benchmark::DoNotOptimize(large_list().store->read([](store::Reader& reader) {
            return reader.query("SELECT name FROM allow_lists WHERE key = ?", 1).step();
        }));
    }
}
BENCHMARK(AllowListLimitRowByKey)->Unit(benchmark::kMicrosecond);

void Rules(benchmark::State& state) {
    hooks::HookConfig config;
    config.kind = "rules";
    config.rules = folder().write(
        "rules.toml",
        "[[rule]]\nallow = true\nwhen = { all = [ { parameter = \"SerialNumber\", prefix = "
        "\"123456\" }, { parameter = \"SerialNumber\", matches = \"[0-9]{6,12}\" } ] }\n");
    decide_all(state, set_of(config), "1234567");
}
BENCHMARK(Rules)->Unit(benchmark::kMicrosecond);

void Library(benchmark::State& state) {
    hooks::HookConfig config;
    config.kind = "library";
    config.library = HATCHERY_PLUGIN;
    config.configuration = "123456";
    decide_all(state, set_of(config), "1234567");
}
BENCHMARK(Library)->Unit(benchmark::kMicrosecond);

void CommandEcho(benchmark::State& state) {
    hooks::HookConfig config;
    config.kind = "command";
    config.command = {HATCHERY_ECHO};
    decide_all(state, set_of(config), "1234567");
}
BENCHMARK(CommandEcho)->Unit(benchmark::kMicrosecond)->UseRealTime();

void PythonHandler(benchmark::State& state) {
    hooks::HookConfig config;
    config.kind = "lambda";
    config.interpreter = "/usr/bin/python3";
    config.handler =
        folder().write("h.py",
                       "def handler(event, context):\n    return {'allowProvisioning': True}\n") +
        ":handler";
    decide_all(state, set_of(config), "1234567");
}
BENCHMARK(PythonHandler)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// Limit of CommandEcho: a line of the same size through two pipes, to a thread that echoes it.
void CommandLimitPipeRoundTrip(benchmark::State& state) {
    std::array<int, 2> there{};
    std::array<int, 2> back{};
    if (pipe(there.data()) != 0 || pipe(back.data()) != 0) std::abort();
    std::thread echo([&] {
        std::array<char, 4096> text{};
        for (ssize_t got = 0; (got = read(there[0], text.data(), text.size())) > 0;) {
            if (write(back[1], text.data(), static_cast<std::size_t>(got)) != got) return;
        }
    });
    const std::string line(1700, 'x');
    std::array<char, 4096> text{};
    for (auto _ : state) {
        if (write(there[1], line.data(), line.size()) < 0) std::abort();
        if (read(back[0], text.data(), text.size()) <= 0) std::abort();
    }
    close(there[1]);
    echo.join();
    for (const int fd : {there[0], back[0], back[1]})
        close(fd);
}
BENCHMARK(CommandLimitPipeRoundTrip)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
