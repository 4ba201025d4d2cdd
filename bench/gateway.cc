// What a connect costs the server's process, beside a loop that does nothing but TLS and CONNACK.
//   bench_gateway make DIR DEVICES        certificates made ahead
//   bench_gateway limit DIR [THREADS]     the bare loop; prints its port
//   bench_gateway load KIND DIR PORT PID [options]
//   bench_gateway keys                    what generating a device's key costs
// bench/gateway.sh runs all of it and prints the table.
#include "bench/gateway.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace hatchery::bench {

void give_up(const std::string& message) {
    std::fprintf(stderr, "bench_gateway: %s\n", message.c_str());
    std::exit(2);
}

namespace {

double at(const std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// One JSON line; CPU and memory are the server's, each of the operations that were done.
int print(const LoadOptions& options, const LoadResult& result) {
    const bool is_publish = options.load == Load::Publish;
    const double operations =
        static_cast<double>(is_publish ? options.publishes * result.done : result.done);
    const nlohmann::ordered_json line{{"done", result.done},
                                      {"failed", result.failed},
                                      {"cpu_us", (result.user_us + result.system_us) / operations},
                                      {"user_us", result.user_us / operations},
                                      {"kib", result.server_kib / operations},
                                      {"a_second", operations / result.took.count()},
                                      {"samples", result.ms.size()},
                                      {"p50_ms", at(result.ms, 0.5)},
                                      {"p99_ms", at(result.ms, 0.99)},
                                      {"max_ms", at(result.ms, 1)}};
    std::printf("%s\n", line.dump().c_str());
    if (result.failed == 0) return 0;
    std::fprintf(stderr,
                 "bench_gateway: %zu failed, the first: %s\n",
                 result.failed,
                 result.first_failure.c_str());
    return 1;
}

double cpu_ms() {
    return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

template <class... Kind>
double key_ms(int keys, Kind... kind) {
    const double before = cpu_ms();
    for (int i = 0; i < keys; ++i)
        EVP_PKEY_free(EVP_PKEY_Q_keygen(nullptr, nullptr, kind...));
    return (cpu_ms() - before) / keys;
}

void print_keys() {
    std::printf("RSA-2048 %.1f ms, P-256 %.3f ms of CPU a key\n",
                key_ms(50, "RSA", std::size_t{2048}),
                key_ms(5000, "EC", "P-256"));
}

int run(int argc, char** argv) {
    CLI::App app("What a connect costs the server");
    app.require_subcommand(1);
    LoadOptions options;
    int threads = 1;
    const std::map<std::string, Load> kinds{{"connect", Load::Connect},
                                            {"hold", Load::Hold},
                                            {"claim-csr", Load::ClaimCsr},
                                            {"claim-keys", Load::ClaimKeys},
                                            {"publish", Load::Publish},
                                            {"watch", Load::Watch}};
    auto* make = app.add_subcommand("make", "a CA, a server certificate and devices");
    make->add_option("directory", options.directory)->required();
    make->add_option("devices", options.count)->required();
    auto* limit = app.add_subcommand("limit", "a bare TLS loop; prints its port");
    limit->add_option("directory", options.directory)->required();
    limit->add_option("threads", threads);
    auto* keys = app.add_subcommand("keys", "CPU of generating keys");
    auto* load = app.add_subcommand("load", "devices, and the server's CPU time for each");
    load->add_option("kind", options.load)->required()->transform(CLI::CheckedTransformer(kinds));
    load->add_option("directory", options.directory)->required();
    load->add_option("port", options.port)->required();
    load->add_option("process", options.process)->required();
    load->add_option("--from", options.from);
    load->add_option("--count", options.count);
    load->add_option("--at-once", options.at_once);
    load->add_option("--publishes", options.publishes);
    load->add_option("--topic", options.topic);
    load->add_option("--claim-cert", options.claim_certificate);
    load->add_option("--claim-key", options.claim_key);
    load->add_option("--template", options.claim_template);
    load->add_option_function<int>(
        "--seconds", [&](int seconds) { options.duration = std::chrono::seconds(seconds); });
    CLI11_PARSE(app, argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    if (make->parsed()) make_devices(options.directory, options.count);
    if (limit->parsed()) run_limit(options.directory, threads);
    if (keys->parsed()) print_keys();
    return load->parsed() ? print(options, run_load(options)) : 0;
}

}  // namespace
}  // namespace hatchery::bench

int main(int argc, char** argv) {
    return hatchery::bench::run(argc, argv);
}
