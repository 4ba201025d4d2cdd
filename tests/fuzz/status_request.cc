// Any bytes as a request to the plain HTTP front of lists and OCSP: the first line is the method
// and the target, the rest the body. "{ca}" stands for the CA's key identifier, "{ocsp}" for a
// request about a certificate that it has issued, so that what lies behind them is reached, too.
#include "provisioning/enroll/status.h"
#include "provisioning/flows/issue.h"
#include "provisioning/flows/revocation.h"
#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <openssl/ocsp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace hatchery;

/// What OpenSSL asks about `certificate`.
Bytes ocsp_question(const ca::Certificate& certificate, const ca::Certificate& issuer) {
    const std::unique_ptr<OCSP_REQUEST, decltype(&OCSP_REQUEST_free)> request(OCSP_REQUEST_new(),
                                                                              OCSP_REQUEST_free);
    OCSP_request_add0_id(request.get(),
                         OCSP_cert_to_id(nullptr, certificate.handle(), issuer.handle()));
    Bytes der(static_cast<std::size_t>(i2d_OCSP_REQUEST(request.get(), nullptr)));
    unsigned char* cursor = der.data();
    i2d_OCSP_REQUEST(request.get(), &cursor);
    return der;
}

class StatusFixture {
  public:
    StatusFixture() {
        for (const auto& shipped : ca::shipped_profiles())
            profiles_.emplace(shipped.name, ca::Profile::parse(shipped.toml, shipped.name).value());
        const ca::CsrSubject subject{{{std::string(ca::oid::kCommonName), "d"}}, {}, {}};
        const auto csr =
            ca::Csr::parse(bytes_of(ca::make_csr(device_key_, subject).value())).value();
        const auto certificate =
            flows::issue(*store_, ledger_, root_, csr, profiles_.at("device"), "fuzz", now_);
        question_ = ocsp_question(certificate.value(), root_.certificate());
        const auto lists =
            flows::publish_crls(*store_, root_, flows::crl_patterns(profiles_), {}, now_);
        if (lists.value() == 0) std::abort();
        answerer_ =
            std::make_unique<enroll::StatusAnswerer>(service_, std::vector<ca::Certificate>{});
    }

    http::Response answer(std::string_view text) {
        const auto line = text.substr(0, text.find('\n'));
        const auto space = std::min(line.find(' '), line.size());
        http::Request request;
        request.method = line.substr(0, space);
        request.target =
            filled(line.substr(std::min(space + 1, line.size())), to_base64(question_));
        request.body = filled(text.substr(std::min(line.size() + 1, text.size())),
                              std::string(text_of(question_)));
        return answerer_->answer(request, now_);
    }

  private:
    std::string filled(std::string_view text, const std::string& question) const {
        const std::array<std::pair<std::string_view, std::string>, 2> words{
            {{"{ca}", ca::expand_url("{ca}", root_.certificate(), std::nullopt)},
             {"{ocsp}", question}}};
        std::string out(text);
        for (const auto& [word, meaning] : words) {
            if (const auto at = out.find(word); at != std::string::npos)
                out.replace(at, word.size(), meaning);
        }
        return out;
    }

    Time now_{std::chrono::sys_days{std::chrono::year{2030} / 1 / 1}};
    testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_ = registry::open(folder_ / "hatchery.db").value();
    registry::StoreLedger ledger_{*store_};
    std::map<std::string, ca::Profile, std::less<>> profiles_;
    ca::PrivateKey device_key_ = ca::PrivateKey::generate(ca::KeyKind::P256).value();
    ca::PrivateKey root_key_ = ca::PrivateKey::generate(ca::KeyKind::P256).value();
    ca::Issuer root_ =
        ca::Issuer::make(
            ca::make_root(root_key_, "Fuzz Root", std::chrono::hours(24 * 365), now_).value(),
            root_key_,
            {})
            .value();
    hooks::HookSet hooks_ = hooks::HookSet::make({}).value();
    flows::CompiledCache compiled_;
    flows::Service service_{*store_, root_, ledger_, profiles_, hooks_, compiled_, {}};
    Bytes question_;
    std::unique_ptr<enroll::StatusAnswerer> answerer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static StatusFixture fixture;
    // libFuzzer's bytes are text here; the cast is what it asks for.
    const auto response = fixture.answer({reinterpret_cast<const char*>(data), size});
    static constexpr std::array<int, 3> expected{200, 404, 405};
    if (std::ranges::find(expected, response.status) == expected.end()) std::abort();
    if (response.content_type != "application/ocsp-response") return 0;
    // Whatever was asked, the responder can answer it.
    if (response.body == text_of(ca::make_ocsp_error(ca::OcspError::TryLater))) std::abort();
    if (response.body.empty()) std::abort();
    return 0;
}
