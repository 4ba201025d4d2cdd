// Signing a device's request: parse, prepare, record (a ledger in memory), sign; PEM in, DER out.
// Names: issue/KEY-OF-CA = ours, bound/KEY-OF-CA = one verification of a P-256 request and one
// signature by bare EVP calls: what no implementation on this machine can be faster than.
#include "ca/issuer.h"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

namespace {

using namespace hatchery;
using namespace hatchery::ca;

const Time kNow{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};

class MemoryLedger : public Ledger {
  public:
    Result<> complete(const Certificate& certificate, Time /*now*/) override {
        size_ += certificate.der().size();
        return {};
    }

  protected:
    Result<> append(const Prepared& prepared, std::string_view, Time /*now*/) override {
        size_ += prepared.tbs().size();
        return {};
    }

  private:
    std::size_t size_ = 0;
};

struct Fixture {
    explicit Fixture(KeyKind kind)
        : ca_key(PrivateKey::generate(kind).value()),
          root(make_root(ca_key, "Bench CA", std::chrono::hours(24 * 365 * 30), kNow).value()),
          issuer(Issuer::make(root, ca_key, {}).value()) {
        for (const auto& shipped : shipped_profiles()) {
            if (shipped.name == "device") {
                profile = Profile::parse(shipped.toml, shipped.name).value();
            }
        }
    }
    PrivateKey ca_key;
    Certificate root;
    Issuer issuer;
    Profile profile;
    PrivateKey device_key = PrivateKey::generate(KeyKind::P256).value();
    std::string csr =
        make_csr(
            device_key,
            {{{"2.5.4.3", "Model 7"}, {"2.5.4.10", "Example"}, {"2.5.4.5", "SN-0001"}}, {}, {}})
            .value();
};

const Fixture& fixture(KeyKind kind) {
    static const Fixture p256(KeyKind::P256);
    static const Fixture rsa2048(KeyKind::Rsa2048);
    return kind == KeyKind::P256 ? p256 : rsa2048;
}

void issue(benchmark::State& state, KeyKind kind) {
    const auto& with = fixture(kind);
    MemoryLedger ledger;
    while (state.KeepRunning()) {
        const auto csr = Csr::parse(bytes_of(with.csr)).value();
        auto prepared = with.issuer.prepare(csr, with.profile, kNow).value();
        auto recorded = ledger.record(std::move(prepared), "bench", kNow).value();
        const auto certificate = with.issuer.sign(std::move(recorded)).value();
        benchmark::DoNotOptimize(ledger.complete(certificate, kNow).has_value());
    }
    state.SetItemsProcessed(state.iterations());
}

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Bytes sign(EVP_PKEY* key, ByteView data) {
    const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    Bytes signature(512);
    std::size_t size = signature.size();
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(context.get(), signature.data(), &size, data.data(), data.size());
    signature.resize(size);
    return signature;
}

bool verify(EVP_PKEY* key, ByteView signature, ByteView data) {
    const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
    return EVP_DigestVerify(
               context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
}

void bound(benchmark::State& state, KeyKind kind) {
    const auto& with = fixture(kind);
    const Bytes data(300, 7);  // about the size of a request's and a certificate's signed part
    const Bytes proof = sign(with.device_key.handle(), data);
    while (state.KeepRunning()) {
        if (!verify(with.device_key.handle(), proof, data)) state.SkipWithError("no verification");
        benchmark::DoNotOptimize(sign(with.ca_key.handle(), data));
    }
    state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(bound, p256, KeyKind::P256)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(issue, p256, KeyKind::P256)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(bound, rsa2048, KeyKind::Rsa2048)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(issue, rsa2048, KeyKind::Rsa2048)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
