// Against a real HTTP server, tests/data/hooks/http_hook.py.
#include "hooks/http.h"

#include "hooks/worker.h"
#include "tests/hooks/scratch.h"

#include <gmock/gmock.h>

#include <future>

namespace hatchery::hooks {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kHttpPatience{60'000};
constexpr std::chrono::milliseconds kHttpBrief{300};

/// The server, which ends when its input closes with this object.
class HttpPeer {
  public:
    explicit HttpPeer(const std::vector<std::string>& tls_files = {}) {
        const auto fifo = scratch_.fifo("port");
        Program program{
            {"/usr/bin/python3", std::string(HATCHERY_TEST_DATA) + "/hooks/http_hook.py", fifo},
            {},
            AnswersOn::Stdout};
        program.argv.insert(program.argv.end(), tls_files.begin(), tls_files.end());
        auto started = Worker::start("peer", program);
        if (!started) throw std::runtime_error(to_string(started.error()));
        worker_ = std::move(*started);
        std::ifstream(fifo) >> port_;
    }
    HookConfig config(const std::string& scheme = "http") const {
        HookConfig config;
        config.name = "h";
        config.kind = "http";
        config.url = scheme + "://localhost:" + port_ + "/2015-03-31/functions/f/invocations?x=1";
        config.workers = 1;
        return config;
    }
    const Scratch& scratch() const { return scratch_; }

  private:
    Scratch scratch_;
    std::unique_ptr<Worker> worker_;
    std::string port_;
};

std::unique_ptr<Hook> hook_of(const HookConfig& config) {
    auto hook = make_http(config);
    if (!hook) ADD_FAILURE() << to_string(hook.error());
    return hook ? *std::move(hook) : nullptr;
}

std::string reply(Hook& hook,
                  const std::string& serial,
                  std::chrono::milliseconds timeout = kHttpPatience) {
    const auto decision = hook.decide(event_of(serial), timeout);
    if (!decision) return "error: " + to_string(decision.error());
    return decision->allow ? "allow" : "refuse: " + decision->reason;
}

TEST(Http, SpeaksLambdasInvokeOverOneConnection) {
    const HttpPeer peer;
    auto config = peer.config();
    config.bearer_file = peer.scratch().write("bearer", "secret-token\n");
    config.hmac_file = peer.scratch().write("hmac", "hush\n");
    const auto hook = hook_of(config);
    for (int i = 0; i < 3; ++i) {
        const auto decision = hook->decide(event_of("1234567"), kHttpPatience);
        ASSERT_TRUE(decision) << to_string(decision.error());
        EXPECT_TRUE(decision->allow);
        EXPECT_EQ(
            decision->parameter_overrides,
            (std::map<std::string, std::string>{{"Path", "/2015-03-31/functions/f/invocations?x=1"},
                                                {"Type", "RequestResponse"},
                                                {"Bearer", "Bearer secret-token"},
                                                {"Signed", "True"},
                                                {"Connections", "1"}}));
    }
    EXPECT_EQ(reply(*hook, "999999"), "refuse: unknown serial number");
}

TEST(Http, RefusesWhateverGoesWrongAndGoesOn) {
    const HttpPeer peer;
    const auto hook = hook_of(peer.config());
    EXPECT_EQ(reply(*hook, "500"), "error: expected the status 200, found 500");
    EXPECT_EQ(reply(*hook, "raise"), "error: /errorMessage: the function raised KeyError: boom");
    EXPECT_EQ(reply(*hook, "large"), "error: expected an answer of at most 65536 bytes");
    EXPECT_EQ(reply(*hook, "garbage"), "error: expected the answer to be a JSON object");
    EXPECT_THAT(reply(*hook, "cut"), HasSubstr("error: no answer: "));
    EXPECT_EQ(reply(*hook, "slow", kHttpBrief), "error: no answer in time");
    EXPECT_EQ(reply(*hook, "drip", kHttpBrief), "error: no answer in time");
    EXPECT_EQ(reply(*hook, "1234567"), "allow");
}

TEST(Http, HoldsUpNobodyElse) {
    const HttpPeer peer;
    auto config = peer.config();
    config.workers = 4;
    const auto hook = hook_of(config);
    std::vector<std::future<std::string>> replies;
    for (int i = 0; i < 200; ++i) {
        const bool is_slow = i % 67 == 3;
        replies.push_back(std::async(std::launch::async, [&hook, is_slow] {
            return is_slow ? reply(*hook, "slow", std::chrono::seconds(2))
                           : reply(*hook, "1234567");
        }));
    }
    for (std::size_t i = 0; i < replies.size(); ++i) {
        const auto text = replies[i].get();
        if (i % 67 == 3) {
            EXPECT_THAT(text, HasSubstr("in time")) << i;
        } else {
            EXPECT_EQ(text, "allow") << i;
        }
    }
}

TEST(Http, ChecksTheServersCertificate) {
    const Scratch scratch;
    const auto key = scratch.path("key.pem");
    const auto certificate = scratch.path("certificate.pem");
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "/CN=localhost -addext subjectAltName=DNS:localhost -keyout " +
        key + " -out " + certificate + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    const HttpPeer peer({certificate, key});
    auto config = peer.config("https");
    EXPECT_THAT(reply(*hook_of(config), "1234567"), HasSubstr("error: no answer: SSL"));
    config.ca_file = certificate;
    EXPECT_EQ(reply(*hook_of(config), "1234567"), "allow");
    config.url.replace(config.url.find("localhost"), 9, "127.0.0.1");
    EXPECT_THAT(reply(*hook_of(config), "1234567"), HasSubstr("error: no answer: SSL"));
}

TEST(Http, RefusesWhereNobodyListens) {
    HookConfig config;
    config.name = "h";
    config.url = "http://127.0.0.1:1/";
    EXPECT_THAT(reply(*hook_of(config), "1"), HasSubstr("error: no answer: Connection"));
}

}  // namespace
}  // namespace hatchery::hooks
