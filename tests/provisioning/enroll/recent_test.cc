#include "provisioning/enroll/recent.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace hatchery::enroll {
namespace {

using std::chrono::seconds;

const Time kNow{seconds(1'795'375'804)};

Issued certificate(const std::string& id) {
    Issued issued;
    issued.certificate_id = id;
    return issued;
}

TEST(RecentCertificates, AnswersARepeatWithTheSameCertificate) {
    RecentCertificates recent(10, seconds(60));
    int made = 0;
    const auto issue = [&]() -> Result<Issued> { return certificate(std::to_string(++made)); };
    const auto first = recent.find_or_issue("a", kNow, issue);
    const auto repeat = recent.find_or_issue("a", kNow + seconds(59), issue);
    const auto other = recent.find_or_issue("b", kNow, issue);
    const auto late = recent.find_or_issue("a", kNow + seconds(60), issue);
    ASSERT_TRUE(first && repeat && other && late);
    EXPECT_TRUE(first->is_new);
    EXPECT_FALSE(repeat->is_new);
    EXPECT_EQ(repeat->issued.certificate_id, "1");
    EXPECT_EQ(other->issued.certificate_id, "2");
    EXPECT_EQ(late->issued.certificate_id, "3");
}

TEST(RecentCertificates, ForgetsTheOldestAtItsCapacity) {
    RecentCertificates recent(2, seconds(60));
    const auto issue = []() -> Result<Issued> { return certificate("x"); };
    for (const char* key : {"a", "b", "c"})
        ASSERT_TRUE(recent.find_or_issue(key, kNow, issue));
    EXPECT_FALSE(recent.find_or_issue("b", kNow, issue)->is_new);
    EXPECT_TRUE(recent.find_or_issue("a", kNow, issue)->is_new);
}

TEST(RecentCertificates, RemembersNoFailure) {
    RecentCertificates recent(2, seconds(60));
    const auto failed = recent.find_or_issue(
        "a", kNow, []() -> Result<Issued> { return fail(Code::Unavailable, "disk full"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "disk full");
    const auto issue = []() -> Result<Issued> { return certificate("x"); };
    EXPECT_TRUE(recent.find_or_issue("a", kNow, issue)->is_new);
}

TEST(RecentCertificates, IssuesOnceForEqualRequestsAtOnce) {
    RecentCertificates recent(10, seconds(60));
    std::atomic<int> made = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 100; ++k) {
                const auto outcome = recent.find_or_issue("a", kNow, [&]() -> Result<Issued> {
                    return certificate(std::to_string(++made));
                });
                EXPECT_EQ(outcome->issued.certificate_id, "1");
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(made, 1);
}

}  // namespace
}  // namespace hatchery::enroll
