// A packet's authorization by the tutorial's device policy (four statements, thing variables), and
// by policies that are larger or deny. Beside it the machine's limit: comparing the same texts once
// where everything is known.
#include "provisioning/policy/policy.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace hatchery::policy;

const std::string kArn = "arn:aws:iot:us-east-1:123456789012:";
const std::string kThing = "329800735698586629295641978511506172918";

Document compiled(const std::string& statements) {
    auto document = compile(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}");
    if (!document) std::abort();
    return *document;
}

std::string allow(const std::string& action, const std::string& resource) {
    return R"({"Effect":"Allow","Action":")" + action + R"(","Resource":")" + kArn + resource +
           "\"}";
}

std::string device_statements() {
    const std::string thing = "${iot:Connection.Thing.ThingName}";
    return allow("iot:Connect", "client/" + thing) + "," +
           allow("iot:Publish", "topic/AnyCompany/" + thing + "/*") + "," +
           allow("iot:Subscribe", "topicfilter/AnyCompany/" + thing + "/*") + "," +
           allow("iot:Receive", "topic/AnyCompany/" + thing + "/*");
}

/// As the gateway has it: the certificate's fields and the thing.
Context device_context() {
    Context context;
    for (const auto* name :
         {"CommonName", "Organization", "OrganizationalUnit", "Country", "State"})
        context.set("iot:Certificate.Subject." + std::string(name),
                    "value of " + std::string(name));
    context.set("iot:Certificate.SerialNumber", kThing);
    context.set("iot:ClientId", kThing);
    context.set("aws:SourceIp", "192.0.2.7");
    context.set("iot:Connection.Thing.IsAttached", "true");
    context.set("iot:Connection.Thing.ThingName", kThing);
    context.set("iot:Connection.Thing.ThingTypeName", "AnyType");
    return context;
}

void decide(benchmark::State& state, const std::vector<Document>& documents, Effect expected) {
    const Request request{Action::Publish, kArn + "topic/AnyCompany/" + kThing + "/telemetry"};
    const Context context = device_context();
    if (evaluate(documents, request, context).effect != expected) std::abort();
    for (auto _ : state)
        benchmark::DoNotOptimize(evaluate(documents, request, context));
}

void device_policy(benchmark::State& state) {
    decide(state, {compiled(device_statements())}, Effect::Allowed);
}
BENCHMARK(device_policy);

void device_policy_and_a_deny_of_the_group(benchmark::State& state) {
    decide(state,
           {compiled(device_statements()),
            compiled(R"({"Effect":"Deny","Action":"iot:*","Resource":"*","Condition":)"
                     R"({"StringNotEquals":{"iot:Connection.Thing.ThingTypeName":"AnyType"}}})")},
           Effect::Allowed);
}
BENCHMARK(device_policy_and_a_deny_of_the_group);

void ten_policies(benchmark::State& state) {
    decide(state,
           std::vector<Document>(10, compiled(allow("iot:Publish", "topic/other/*"))),
           Effect::ImplicitDeny);
}
BENCHMARK(ten_policies);

void compile_device_policy(benchmark::State& state) {
    const std::string text =
        R"({"Version":"2012-10-17","Statement":[)" + device_statements() + "]}";
    for (auto _ : state)
        benchmark::DoNotOptimize(compile(text));
}
BENCHMARK(compile_device_policy);

/// The limit: the one comparison that decides, with the variable filled in already.
void limit_compare(benchmark::State& state) {
    const std::string pattern = kArn + "topic/AnyCompany/" + kThing + "/";
    const std::string topic = pattern + "telemetry";
    for (auto _ : state) {
        benchmark::DoNotOptimize(topic.data());
        benchmark::DoNotOptimize(std::memcmp(topic.data(), pattern.data(), pattern.size()));
    }
}
BENCHMARK(limit_compare);

}  // namespace
