// compile and resolve of a first-connect template with five attributes, type, group, billing group,
// certificate and policy, beside what the machine itself needs: copying the text once, and making
// the same records from strings that are there already. Memory is counted by the program's own
// operator new.
#include "bench/counted_heap.h"
#include "templates/check_file.h"
#include "templates/template.h"
#include "tests/templates/hostile.h"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace hatchery::templates;

constexpr std::string_view kText = R"({
  "Parameters": {
    "AWS::IoT::Certificate::Id": { "Type": "String" },
    "AWS::IoT::Certificate::SerialNumber": { "Type": "String" },
    "AWS::IoT::Certificate::CommonName": { "Type": "String" },
    "AWS::IoT::Certificate::DistinguishedNameQualifier": { "Type": "String" },
    "AWS::IoT::Certificate::Organization": { "Type": "String" },
    "AWS::IoT::Certificate::OrganizationalUnit": { "Type": "String", "Default": "stock" }
  },
  "Resources": {
    "device": {
      "Type": "AWS::IoT::Thing",
      "Properties": {
        "ThingName": { "Ref": "AWS::IoT::Certificate::SerialNumber" },
        "AttributePayload": {
          "model": { "Ref": "AWS::IoT::Certificate::CommonName" },
          "serial": { "Ref": "AWS::IoT::Certificate::SerialNumber" },
          "origin": "first-connect",
          "firmware": "1.0.0",
          "root": "Factory-Root-1"
        },
        "ThingTypeName": { "Ref": "AWS::IoT::Certificate::DistinguishedNameQualifier" },
        "ThingGroups": [ { "Ref": "AWS::IoT::Certificate::OrganizationalUnit" } ],
        "BillingGroup": { "Ref": "AWS::IoT::Certificate::Organization" }
      },
      "OverrideSettings": {
        "AttributePayload": "REPLACE", "ThingTypeName": "REPLACE", "ThingGroups": "REPLACE"
      }
    },
    "identity": {
      "Type": "AWS::IoT::Certificate",
      "Properties": { "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" }, "Status": "ACTIVE" }
    },
    "rights": {
      "Type": "AWS::IoT::Policy",
      "Properties": { "PolicyName": "sensor-policy" }
    }
  }
})";

CertificateFacts facts() {
    return {std::string(64, 'a'),
            "329800735698586629295641978511506172918",
            {{"2.5.4.10", "AnyCompany"},
             {"2.5.4.11", "hall-1"},
             {"2.5.4.46", "AnyType"},
             {"2.5.4.3", "HardwareModel-1"}}};
}

Template compiled() {
    Compiled result = compile(kText, Kind::Jitp);
    if (!result.value) std::abort();
    return *std::move(result.value);
}

void Compile(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(compile(kText, Kind::Jitp));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kText.size()));
}
BENCHMARK(Compile);

/// Limit of Compile: every byte looked at once (line ends counted) and copied once.
void CompileLimitScanAndCopy(benchmark::State& state) {
    for (auto _ : state) {
        std::string copy(kText);
        std::size_t lines = 0;
        for (const char c : copy)
            lines += c == '\n' ? 1U : 0U;
        benchmark::DoNotOptimize(copy.data());
        benchmark::DoNotOptimize(lines);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kText.size()));
}
BENCHMARK(CompileLimitScanAndCopy);

void Resolve(benchmark::State& state) {
    const Template value = compiled();
    const Parameters parameters = certificate_parameters(facts(), SerialNumberSource::Auto);
    if (!resolve(value, parameters)) std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(resolve(value, parameters));
}
BENCHMARK(Resolve);

/// Limit of Resolve: the same Plan copied, which makes the same records with the same allocations.
void ResolveLimitCopyPlan(benchmark::State& state) {
    const auto plan =
        resolve(compiled(), certificate_parameters(facts(), SerialNumberSource::Auto));
    if (!plan) std::abort();
    for (auto _ : state) {
        Plan copy = *plan;
        benchmark::DoNotOptimize(copy);
    }
}
BENCHMARK(ResolveLimitCopyPlan);

void CertificateParameters(benchmark::State& state) {
    const CertificateFacts given = facts();
    for (auto _ : state) {
        benchmark::DoNotOptimize(certificate_parameters(given, SerialNumberSource::Auto));
    }
}
BENCHMARK(CertificateParameters);

/// The slowest of the hostile texts of 10,240 characters, accepted or refused.
void CompileHostile(benchmark::State& state) {
    const auto all = hostile_templates();
    const HostileTemplate& hostile = all[static_cast<std::size_t>(state.range(0))];
    for (auto _ : state)
        benchmark::DoNotOptimize(compile(hostile.text, Kind::Bulk));
    state.SetLabel(hostile.name);
}
BENCHMARK(CompileHostile)
    ->DenseRange(0, static_cast<std::int64_t>(hostile_templates().size()) - 1)
    ->Unit(benchmark::kMicrosecond);

/// The same resolved, with 4,096 characters in their parameter.
void ResolveHostile(benchmark::State& state) {
    const auto all = hostile_templates();
    const HostileTemplate& hostile = all[static_cast<std::size_t>(state.range(0))];
    const Compiled result = compile(hostile.text, Kind::Bulk);
    const Parameters parameters = {{"P", std::string(4'096, 'x')}};
    state.SetLabel(std::string(hostile.name) + (result.value ? "" : ": refused when compiled"));
    for (auto _ : state) {
        if (result.value) benchmark::DoNotOptimize(resolve(*result.value, parameters));
    }
}
BENCHMARK(ResolveHostile)
    ->DenseRange(0, static_cast<std::int64_t>(hostile_templates().size()) - 1)
    ->Unit(benchmark::kMicrosecond);

/// Memory that a compiled template keeps, in bytes; the aim is under 32 KB.
void CompiledMemory(benchmark::State& state) {
    std::int64_t kept = 0;
    for (auto _ : state) {
        const std::int64_t before = hatchery::bench::bytes_in_use();
        const Template value = compiled();
        kept = hatchery::bench::bytes_in_use() - before;
    }
    state.counters["bytes_kept"] = static_cast<double>(kept);
}
BENCHMARK(CompiledMemory)->Iterations(100);

/// The most that any of the hostile texts makes a compiled template keep; over 32 KB is an error.
void CompiledMemoryOfTheWorst(benchmark::State& state) {
    std::int64_t worst = 0;
    for (auto _ : state) {
        for (const HostileTemplate& hostile : hostile_templates()) {
            const std::int64_t before = hatchery::bench::bytes_in_use();
            std::optional<Template> value;
            {
                Compiled result = compile(hostile.text, Kind::Bulk);
                value = std::move(result.value);
            }
            const std::int64_t kept = hatchery::bench::bytes_in_use() - before;
            if (kept <= worst) continue;
            worst = kept;
            state.SetLabel(hostile.name);
        }
    }
    state.counters["bytes_kept"] = static_cast<double>(worst);
    if (worst > 32'768) state.SkipWithError("a compiled template keeps more than 32 KB");
}
BENCHMARK(CompiledMemoryOfTheWorst)->Iterations(1);

/// What `hatchery template validate` does of a thousand files in memory, kinds guessed; the aim is
/// under a second.
void ValidateThousandFiles(benchmark::State& state) {
    std::vector<std::string> files(1000, std::string(kText));
    for (std::size_t i = 0; i < files.size(); ++i)
        files[i] += std::string(i % 7, '\n');
    for (auto _ : state) {
        for (const std::string& file : files)
            benchmark::DoNotOptimize(check_file(file, std::nullopt));
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(ValidateThousandFiles)->Unit(benchmark::kMillisecond);

/// The same of stacks in YAML, with the template in an Fn::Sub.
void ValidateYamlStack(benchmark::State& state) {
    std::string file =
        "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  T:\n    Type: "
        "AWS::IoT::ProvisioningTemplate\n    Properties:\n      TemplateBody: !Sub |\n        ";
    for (const char c : kText) {
        file += c;
        if (c == '\n') file += "        ";
    }
    for (auto _ : state)
        benchmark::DoNotOptimize(check_file(file, std::nullopt, Syntax::Yaml));
}
BENCHMARK(ValidateYamlStack);

}  // namespace
