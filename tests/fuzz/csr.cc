// Any bytes as a certificate request, through parsing and every check that issuing makes.
#include "ca/issuer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace hatchery;
using namespace hatchery::ca;

struct Fixture {
    Time now{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    PrivateKey key = PrivateKey::generate(KeyKind::P256).value();
    Certificate root = make_root(key, "Fuzz Root", std::chrono::hours(24 * 365), now).value();
    Issuer issuer = Issuer::make(root, key, {}).value();
    std::vector<Profile> profiles;
    Fixture() {
        for (const auto& shipped : shipped_profiles()) {
            profiles.push_back(Profile::parse(shipped.toml, shipped.name).value());
        }
        profiles.front().subject.clear();
        profiles.front().subject_any = true;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Fixture fixture;
    const auto csr = Csr::parse({data, size});
    if (!csr) return 0;
    for (const auto& profile : fixture.profiles) {
        const auto prepared = fixture.issuer.prepare(*csr, profile, fixture.now);
        if (prepared && prepared->serial_number().size() != 20) std::abort();
    }
    return 0;
}
