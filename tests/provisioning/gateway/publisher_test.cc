#include "provisioning/gateway/publisher.h"

#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace hatchery::gateway {
namespace {

/// What somebody is told who waits behind `count` messages of a mebibyte, none of which can be
/// sent.
std::string told_behind(int count) {
    asio::io_context io{1};
    const auto publisher = Publisher::make(io, parse_upstream("unix:/no/such/socket").value());
    for (int i = 0; i < count; ++i)
        publisher->publish({"t", std::string(std::size_t{1} << 20, 'x')}, {});
    std::optional<Result<>> told;
    publisher->publish({"t", "x"}, [&](Result<> outcome) { told = std::move(outcome); });
    publisher->stop();
    io.run();
    return told && !*told ? told->error().message : "nothing";
}

TEST(Publisher, KeepsMessagesOfSixtyFourMebibytes) {
    EXPECT_EQ(told_behind(63), "the service stops");  // it was in the line
    EXPECT_EQ(told_behind(64), "too many messages wait for the broker");
}

}  // namespace
}  // namespace hatchery::gateway
