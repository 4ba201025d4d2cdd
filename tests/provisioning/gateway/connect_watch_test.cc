#include "provisioning/gateway/connect_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hatchery::gateway {
namespace {

using registry::ConnectConflict;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Time kNow{std::chrono::seconds(1'700'000'000)};

CertificateId id(std::uint8_t number) {
    CertificateId made;
    made.bytes[0] = number;
    return made;
}

/// "kind client certificate-number count" of each conflict since the last call.
std::vector<std::string> taken(ConnectWatch& watch) {
    std::vector<std::string> all;
    for (const auto& one : watch.take(kNow)) {
        EXPECT_EQ(one.first, kNow);
        EXPECT_EQ(one.last, kNow);
        const bool is_shared = one.kind == ConnectConflict::Kind::SharedCertificate;
        all.push_back((is_shared ? "shared " : "client ") + one.client_id + " " +
                      std::to_string(one.certificate.bytes[0]) + " " + std::to_string(one.count));
    }
    return all;
}

TEST(ConnectWatch, SeesNothingInConnectsThatAreAsTheyShouldBe) {
    ConnectWatch watch;
    for (int round = 0; round < 3; ++round) {
        watch.opened(id(1), "a");
        watch.opened(id(2), "b");
        watch.closed(id(1), "a");
        watch.opened(id(1), "other");  // after, not at once
        watch.closed(id(1), "other");
        watch.closed(id(2), "b");
    }
    EXPECT_THAT(taken(watch), IsEmpty());
}

TEST(ConnectWatch, SeesASharedCertificateAndBothWhoShareIt) {
    ConnectWatch watch;
    watch.opened(id(1), "a");
    watch.opened(id(1), "b");
    EXPECT_THAT(taken(watch), ElementsAre("shared a 1 1", "shared b 1 1"));
    EXPECT_THAT(taken(watch), IsEmpty());
}

TEST(ConnectWatch, DoesNotGuessWhoIsLeftOnceTheFirstHasGone) {
    ConnectWatch watch;
    watch.opened(id(1), "a");
    watch.opened(id(1), "b");
    watch.closed(id(1), "a");
    taken(watch);
    watch.opened(id(1), "b");  // taken over by itself
    EXPECT_THAT(taken(watch), ElementsAre("client b 1 1"));
    watch.closed(id(1), "b");
    watch.closed(id(1), "b");
    watch.opened(id(1), "c");
    EXPECT_THAT(taken(watch), IsEmpty());
}

TEST(ConnectWatch, SeesBothCertificatesOfAClientIdThatIsFoughtFor) {
    ConnectWatch watch;
    watch.opened(id(1), "a");
    watch.opened(id(2), "a");
    watch.closed(id(1), "a");
    EXPECT_THAT(taken(watch), ElementsAre("client a 1 0", "client a 2 1"));
    watch.opened(id(1), "a");
    watch.closed(id(2), "a");
    EXPECT_THAT(taken(watch), ElementsAre("client a 1 1", "client a 2 0"));
}

TEST(ConnectWatch, CountsWhatIsFoughtForAllTheTime) {
    ConnectWatch watch;
    watch.opened(id(1), "a");
    for (int i = 0; i < 60; ++i) {
        watch.opened(id(1), "a");
        watch.closed(id(1), "a");
    }
    EXPECT_THAT(taken(watch), ElementsAre("client a 1 60"));
}

TEST(ConnectWatch, KeepsAFewOfAFleetThatSharesAClaimCertificateAndBoundsTheRest) {
    ConnectWatch watch;
    for (int i = 0; i < 1000; ++i)
        watch.opened(id(1), "fleet-" + std::to_string(i));
    EXPECT_EQ(taken(watch).size(), 101U);
    watch.opened(id(1), "one more");
    EXPECT_THAT(taken(watch), IsEmpty());
    for (int i = 0; i < 6000; ++i) {
        for (int twin = 0; twin < 2; ++twin)
            watch.opened(id(static_cast<std::uint8_t>(2 + twin)), "twin-" + std::to_string(i));
    }
    EXPECT_EQ(taken(watch).size(), 10'000U);
}

}  // namespace
}  // namespace hatchery::gateway
