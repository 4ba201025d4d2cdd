// Any bytes as an OCSP request; what is accepted is asked of an issuer and answered.
#include "ca/issuer.h"
#include "ca/ocsp.h"

#include <cstdlib>

namespace {

using namespace hatchery;
using namespace hatchery::ca;

struct OcspFixture {
    Time now{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    PrivateKey key = PrivateKey::generate(KeyKind::Ed25519).value();
    Certificate root = make_root(key, "Fuzz Root", std::chrono::hours(24 * 365), now).value();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const OcspFixture fixture;
    const auto request = parse_ocsp_request({data, size});
    if (!request) return 0;
    if (request->ids.empty() || request->ids.size() > kMaxOcspIds) std::abort();
    OcspContent content;
    content.produced = content.this_update = fixture.now;
    content.next_update = fixture.now + std::chrono::hours(1);
    content.nonce = request->nonce;
    for (const auto& id : request->ids) {
        OcspAnswer answer;
        answer.id = id;
        answer.state = id.is_of(fixture.root) ? OcspState::Good : OcspState::Unknown;
        content.answers.push_back(std::move(answer));
    }
    if (!make_ocsp_response(fixture.root, fixture.key, content)) std::abort();
    return 0;
}
