#include "provisioning/enroll/throttle.h"

#include <gtest/gtest.h>

namespace hatchery::enroll {
namespace {

using std::chrono::seconds;

const Time kNow{seconds(1'795'375'804)};

TEST(Throttle, CountsEachIdentityByItself) {
    Throttle throttle(2, 100);
    EXPECT_TRUE(throttle.count("a", kNow));
    EXPECT_TRUE(throttle.count("a", kNow + seconds(40)));
    const auto third = throttle.count("a", kNow + seconds(59));
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Code::Throttled);
    EXPECT_EQ(third.error().message,
              "expected at most 2 requests a minute for one device, try again in 1 s");
    EXPECT_TRUE(throttle.count("b", kNow + seconds(59)));
}

TEST(Throttle, BeginsAnewAfterAMinuteAndWhenTheClockIsSetBack) {
    Throttle throttle(1, 100);
    EXPECT_TRUE(throttle.count("a", kNow));
    EXPECT_FALSE(throttle.count("a", kNow));
    EXPECT_TRUE(throttle.count("a", kNow + seconds(60)));
    EXPECT_TRUE(throttle.count("a", kNow - seconds(3600)));
}

TEST(Throttle, ForgetsWhoseMinuteIsOverBeforeItGrows) {
    Throttle throttle(1, 2);
    EXPECT_TRUE(throttle.count("old", kNow));
    EXPECT_TRUE(throttle.count("a", kNow + seconds(59)));
    EXPECT_TRUE(throttle.count("b", kNow + seconds(60)));
    EXPECT_FALSE(throttle.count("a", kNow + seconds(60))) << "it still counts";
    EXPECT_TRUE(throttle.count("c", kNow + seconds(60))) << "no room left: everybody passes";
    EXPECT_TRUE(throttle.count("a", kNow + seconds(60)));
}

}  // namespace
}  // namespace hatchery::enroll
