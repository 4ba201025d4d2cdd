// Bulk registration, durable: HATCHERY_BENCH_DEVICES lines (20,000 unless set) a run, chunk by
// chunk as `hatchery register` does. Names:
//   bulk/things        lines of a thing each, without certificates
//   bulk/requests      lines with a P-256 request each: signed, registered, policy attached
//   limit/signing      one verification of a request and one signature by bare EVP calls, on every
//                      core: what bulk/requests cannot be faster than
// The counter `peak_kb` is the most memory that the process had so far.
#include "provisioning/flows/bulk.h"

#include "bench/directory.h"
#include "bench/must.h"
#include "ca/issuer.h"
#include "provisioning/flows/parallel.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <thread>

namespace {

using namespace hatchery;
using bench::must;

const Time kNow{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};

std::int64_t devices() {
    return bench::count_from("HATCHERY_BENCH_DEVICES", 20'000);
}

unsigned cores() {
    return std::max(1U, std::thread::hardware_concurrency());
}

constexpr const char* kThings = R"({
  "Parameters": {"Name": {"Type": "String"}},
  "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {
    "ThingName": {"Ref": "Name"}, "AttributePayload": {"origin": "bulk"}}}}})";

constexpr const char* kRequests = R"({
  "Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateSigningRequest": {"Ref": "CSR"}}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters"}}}})";

/// A service on a store of its own, without fronts.
class World {
  public:
    World()
        : key_(must(ca::PrivateKey::generate(ca::KeyKind::P256))),
          issuer_(must(ca::Issuer::make(
              must(ca::make_root(key_, "Bench CA", std::chrono::hours(24 * 365 * 30), kNow)),
              key_,
              {}))) {
        store_ = must(registry::open(directory_.file("hatchery.db")));
        ledger_ = std::make_unique<registry::StoreLedger>(*store_);
        service_ = std::unique_ptr<flows::Service>(
            new flows::Service{*store_, issuer_, *ledger_, profiles_, hooks_, compiled_, {}});
        must(store_->write([&](store::Tx& tx) {
            return registry::create_policy(tx,
                                           service_->settings.account,
                                           "meters",
                                           R"({"Version":"2012-10-17","Statement":[]})",
                                           kNow);
        }));
    }

    void run(const char* body, const std::string& lines, std::int64_t number) {
        registry::RegistrationTask wanted;
        wanted.id = "run-" + std::to_string(number);
        wanted.template_body = body;
        const auto task = must(store_->write(
            [&](store::Tx& tx) { return registry::start_registration_task(tx, wanted, kNow); }));
        std::istringstream input(lines);
        flows::BulkOptions options;
        options.requester = "bench";
        options.clock = [] { return kNow; };
        std::size_t reported = 0;
        options.report = [&](const flows::BulkResult& result) -> Result<> {
            reported += flows::to_json_line(result).size();
            return {};
        };
        const auto done = must(flows::register_lines(*service_, task, input, options));
        if (done.successes != devices() || reported == 0) std::abort();
    }

  private:
    ca::PrivateKey key_;
    ca::Issuer issuer_;
    bench::Directory directory_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<registry::StoreLedger> ledger_;
    std::map<std::string, ca::Profile, std::less<>> profiles_;
    hooks::HookSet hooks_;
    flows::CompiledCache compiled_;
    std::unique_ptr<flows::Service> service_;
};

/// Requests repeat after these: making keys is not what is measured.
constexpr std::size_t kKeys = 200;

std::string lines_of(std::int64_t round, bool with_requests) {
    static const std::vector<std::string> requests = [] {
        std::vector<std::string> made;
        for (std::size_t i = 0; i < kKeys; ++i) {
            const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
            std::string escaped;
            for (const char c : must(ca::make_csr(key, {{{"2.5.4.3", "bench"}}, {}, {}})))
                escaped += c == '\n' ? std::string("\\n") : std::string(1, c);
            made.push_back(std::move(escaped));
        }
        return made;
    }();
    std::string lines;
    for (std::int64_t i = 0; i < devices(); ++i) {
        lines += R"({"Name":"d-)" + std::to_string(round) + "-" + std::to_string(i) + '"';
        if (with_requests) {
            lines += R"(,"CSR":")" + requests[static_cast<std::size_t>(i) % kKeys] + '"';
        }
        lines += "}\n";
    }
    return lines;
}

void bulk(benchmark::State& state, const char* body, bool with_requests) {
    World world;
    std::int64_t round = 0;
    for (auto _ : state) {
        state.PauseTiming();
        const std::string lines = lines_of(++round, with_requests);
        state.ResumeTiming();
        world.run(body, lines, round);
    }
    state.SetItemsProcessed(state.iterations() * devices());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    state.counters["peak_kb"] = static_cast<double>(usage.ru_maxrss);
}
BENCHMARK_CAPTURE(bulk, things, kThings, false)
    ->Iterations(1)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(bulk, requests, kRequests, true)
    ->Iterations(1)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

void limit_signing(benchmark::State& state) {
    const auto device = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const auto ca_key = must(ca::PrivateKey::generate(ca::KeyKind::P256));
    const Bytes data(300, 7);  // about the size of a request's and a certificate's signed part
    const auto sign = [&](EVP_PKEY* key) {
        const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        Bytes signature(128);
        std::size_t size = signature.size();
        EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
        EVP_DigestSign(context.get(), signature.data(), &size, data.data(), data.size());
        signature.resize(size);
        return signature;
    };
    const Bytes proof = sign(device.handle());
    constexpr std::size_t kAtOnce = 2'000;
    for (auto _ : state) {
        flows::for_each_on(cores(), kAtOnce, [&](std::size_t) {
            const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
            EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, device.handle());
            const int good = EVP_DigestVerify(
                context.get(), proof.data(), proof.size(), data.data(), data.size());
            if (good != 1) std::abort();
            benchmark::DoNotOptimize(sign(ca_key.handle()));
        });
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kAtOnce));
}
BENCHMARK(limit_signing)
    ->Name("limit/signing")
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
