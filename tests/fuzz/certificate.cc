// Any bytes as a certificate in DER and in PEM, through every reader and check.
#include "ca/certificate.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace hatchery;
using namespace hatchery::ca;

void use(const Certificate& certificate) {
    const Time now{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    static_cast<void>(certificate.fields().subject.to_string());
    static_cast<void>(certificate.serial_decimal());
    static_cast<void>(check_issued_by(certificate, certificate, now).has_value());
    static_cast<void>(check_algorithms(certificate).has_value());
    const auto again = Certificate::from_pem(certificate.pem());
    if (!again || again->id() != certificate.id()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (const auto der = Certificate::from_der({data, size}); der) use(*der);
    if (const auto pem = Certificate::all_from_pem(text_of({data, size})); pem) {
        for (const auto& certificate : *pem)
            use(certificate);
    }
    return 0;
}
