#include "provisioning/gateway/upstream.h"

#include <gtest/gtest.h>

namespace hatchery::gateway {
namespace {

TEST(Upstream, ReadsSocketPathsAndAddresses) {
    struct Case {
        std::string_view text, unix_path, host, port;
    };
    const Case cases[] = {
        {"unix:/run/broker.sock", "/run/broker.sock", "", ""},
        {"broker.example:1883", "", "broker.example", "1883"},
        {"10.0.0.7:8883", "", "10.0.0.7", "8883"},
        {"[::1]:1883", "", "::1", "1883"},
    };
    for (const auto& c : cases) {
        const auto address = parse_upstream(c.text);
        ASSERT_TRUE(address) << c.text;
        EXPECT_EQ(address->unix_path, c.unix_path);
        EXPECT_EQ(address->host, c.host);
        EXPECT_EQ(address->port, c.port);
    }
}

TEST(Upstream, RefusesAnythingElse) {
    const std::string long_path(108, 'p');
    const std::pair<std::string, std::string> cases[] = {
        {"", "expected unix:PATH or HOST:PORT, found ''"},
        {"broker", "expected unix:PATH or HOST:PORT, found 'broker'"},
        {"broker:", "expected unix:PATH or HOST:PORT, found 'broker:'"},
        {":1883", "expected unix:PATH or HOST:PORT, found ':1883'"},
        {"broker:mqtt", "expected unix:PATH or HOST:PORT, found 'broker:mqtt'"},
        {"unix:", "expected a socket path of 1 to 107 bytes, found 0"},
        {"unix:" + long_path, "expected a socket path of 1 to 107 bytes, found 108"},
    };
    for (const auto& [text, message] : cases) {
        const auto address = parse_upstream(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error().code, Code::InvalidRequest);
        EXPECT_EQ(address.error().message, message);
        EXPECT_EQ(address.error().where, "upstream");
    }
}

}  // namespace
}  // namespace hatchery::gateway
