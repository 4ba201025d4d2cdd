// Verifying one request's signature, as every control-plane request has it; beside it the limit:
// the seven hashes that SigV4 cannot do without.
#include "provisioning/api/sigv4.h"

#include "ca/digest.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace hatchery;

const std::string kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const std::string kBody = R"({"attributePayload":{"attributes":{"site":"hall-7"}}})";
constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};

Secret secret() {
    std::string text = kSecret;
    return Secret::take(text);
}

/// Signs as the AWS CLI does; the slow, plain way.
std::vector<api::Header> signed_headers() {
    const std::string scope = "20261122/us-east-1/iot/aws4_request";
    const std::string canonical =
        "POST\n/things/t1\n\ncontent-type:application/json\nhost:127.0.0.1:8180\n"
        "x-amz-date:20261122T000000Z\n\ncontent-type;host;x-amz-date\n" +
        to_hex(ca::sha256(bytes_of(kBody)));
    const std::string to_sign = "AWS4-HMAC-SHA256\n20261122T000000Z\n" + scope + "\n" +
                                to_hex(ca::sha256(bytes_of(canonical)));
    Bytes key = to_bytes(bytes_of("AWS4" + kSecret));
    for (const char* step : {"20261122", "us-east-1", "iot", "aws4_request"}) {
        const auto next = ca::hmac_sha256(key, bytes_of(std::string_view(step)));
        key.assign(next.begin(), next.end());
    }
    return {{"host", "127.0.0.1:8180"},
            {"content-type", "application/json"},
            {"x-amz-date", "20261122T000000Z"},
            {"authorization",
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope +
                 ", SignedHeaders=content-type;host;x-amz-date, Signature=" +
                 to_hex(ca::hmac_sha256(key, bytes_of(to_sign)))}};
}

void sigv4_verify(benchmark::State& state) {
    const auto headers = signed_headers();
    const auto key =
        std::make_shared<const api::AccessKey>(api::AccessKey{"AKIDEXAMPLE", "admin", secret()});
    for (auto _ : state) {
        const auto target = api::parse_target("/things/t1");
        const api::SignedRequest request{"POST", *target, headers, kBody};
        const auto found = api::verify(
            request, kNow, [&](std::string_view) -> Result<std::shared_ptr<const api::AccessKey>> {
                return key;
            });
        if (!found) std::abort();
    }
}
BENCHMARK(sigv4_verify);

void limit_hashes(benchmark::State& state) {
    const std::string canonical(250, 'c'), to_sign(130, 's');
    for (auto _ : state) {
        benchmark::DoNotOptimize(ca::sha256(bytes_of(kBody)));
        benchmark::DoNotOptimize(ca::sha256(bytes_of(canonical)));
        auto key = ca::hmac_sha256(bytes_of("AWS4" + kSecret), bytes_of("20261122"));
        for (const char* step : {"us-east-1", "iot", "aws4_request"})
            key = ca::hmac_sha256(key, bytes_of(std::string_view(step)));
        benchmark::DoNotOptimize(ca::hmac_sha256(key, bytes_of(to_sign)));
    }
}
BENCHMARK(limit_hashes);

}  // namespace
