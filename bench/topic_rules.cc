// What rules add to a message that passes: the payload read once, then each rule. Limits beside
// them: reading and writing such a payload as JSON, and a copy of it.
#include "bench/must.h"
#include "provisioning/topic_rules/statement.h"

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace {

using namespace hatchery;
using namespace hatchery::topic_rules;

constexpr std::string_view kTopic = "abcde-12345/line-7/audit";
constexpr std::string_view kPayload =
    R"({"message":"local scan","severity":3,"sensor":{"name":"pool","temperature":21.5},)"
    R"("items":[1,2,3,4],"at":1764108000123,"ok":true})";

/// A message meets `sql`, `state.range(0)` times over: the time is that of one message and rule.
void evaluate(benchmark::State& state, std::string_view sql) {
    const auto statement = bench::must(Statement::parse(sql));
    const auto rules = state.range(0);
    for (auto _ : state) {
        const Message message(kTopic, bytes_of(kPayload), "device-1", "cafe", Moment{});
        for (std::int64_t i = 0; i < rules; ++i)
            benchmark::DoNotOptimize(statement.evaluate(message));
    }
    state.SetItemsProcessed(state.iterations() * rules);
    state.counters["us_a_rule"] =
        benchmark::Counter(static_cast<double>(state.iterations() * rules) / 1e6,
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void EvaluateOtherTopic(benchmark::State& state) {
    evaluate(state, "SELECT * FROM 'other/+/audit'");
}
void EvaluateStar(benchmark::State& state) {
    evaluate(state, "SELECT * FROM 'abcde-12345/+/audit'");
}
void EvaluateWhere(benchmark::State& state) {
    evaluate(state, "SELECT * FROM 'abcde-12345/+/audit' WHERE severity > 5");
}
void EvaluateFields(benchmark::State& state) {
    evaluate(state,
             "SELECT message AS msg, topic(1) AS tenant_id, sensor.temperature, timestamp() AS "
             "at FROM 'abcde-12345/+/audit' WHERE severity >= 3 AND sensor.name = 'pool'");
}
BENCHMARK(EvaluateOtherTopic)->Arg(1)->Arg(100);
BENCHMARK(EvaluateStar)->Arg(1)->Arg(100);
BENCHMARK(EvaluateWhere)->Arg(1)->Arg(100);
BENCHMARK(EvaluateFields)->Arg(1)->Arg(100);

/// Limit of every rule that looks into the payload.
void LimitReadPayload(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(nlohmann::json::parse(kPayload));
}
BENCHMARK(LimitReadPayload);

/// Limit of EvaluateStar.
void LimitCopyPayload(benchmark::State& state) {
    for (auto _ : state) {
        std::string copy(kPayload);
        benchmark::DoNotOptimize(copy);
    }
}
BENCHMARK(LimitCopyPayload);

}  // namespace
