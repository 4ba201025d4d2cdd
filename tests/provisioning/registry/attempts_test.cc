#include "provisioning/registry/attempts.h"

#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class Attempts : public RegistryTest {};

Attempt refusal_of(const std::string& client_id) {
    Attempt attempt;
    attempt.code = "InvalidRequest";
    attempt.first = attempt.last = kNow;
    attempt.names = {client_id, "4711", "ab\"c"};
    attempt.client_id = client_id;
    attempt.steps = {{"CA", true, "", "found one", ""},
                     {"plan", false, "a field", "none", "/Resources/thing"}};
    return attempt;
}

TEST_F(Attempts, KeepsEachStepAndFindsItByAnyWholeName) {
    ASSERT_TRUE(write([](store::Tx& tx) { return add_attempt(tx, refusal_of("sensor-1")); }));
    for (const std::string name : {"sensor-1", "4711", "ab\"c"}) {
        const auto found = read([&](store::Reader& r) { return find_attempts(r, name, 10); });
        ASSERT_TRUE(found);
        ASSERT_EQ(found->size(), 1U) << name;
        const Attempt& attempt = found->front();
        EXPECT_EQ(attempt.client_id, "sensor-1");
        EXPECT_EQ(attempt.code, "InvalidRequest");
        ASSERT_EQ(attempt.steps.size(), 2U);
        EXPECT_TRUE(attempt.steps[0].passed);
        EXPECT_FALSE(attempt.steps[1].passed);
        EXPECT_EQ(attempt.steps[1].expected, "a field");
        EXPECT_EQ(attempt.steps[1].where, "/Resources/thing");
    }
    const auto part = read([](store::Reader& r) { return find_attempts(r, "sensor", 10); });
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->empty());
}

TEST_F(Attempts, CountsRepetitionsAndShowsTheNewestFirst) {
    auto first = write([](store::Tx& tx) { return add_attempt(tx, refusal_of("a")); });
    ASSERT_TRUE(first);
    ASSERT_TRUE(write([](store::Tx& tx) { return add_attempt(tx, refusal_of("b")); }));
    const Time later = kNow + std::chrono::seconds(5);
    ASSERT_TRUE(write([&](store::Tx& tx) { return repeat_attempt(tx, *first, later, 3); }));
    const auto found = read([](store::Reader& r) { return find_attempts(r, "4711", 10); });
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ(found->front().client_id, "a");
    EXPECT_EQ(found->front().count, 4);
    EXPECT_EQ(found->front().first, kNow);
    EXPECT_EQ(found->front().last, later);
    const auto gone = write([&](store::Tx& tx) { return repeat_attempt(tx, 99, later, 1); });
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Code::NotFound);
}

TEST_F(Attempts, TrimsRefusalsAndSuccessesApart) {
    for (int i = 0; i < 5; ++i) {
        Attempt attempt = refusal_of("device-" + std::to_string(i));
        attempt.succeeded = i == 0;
        ASSERT_TRUE(write([&](store::Tx& tx) { return add_attempt(tx, attempt); }));
    }
    ASSERT_TRUE(write([](store::Tx& tx) { return trim_attempts(tx, 2, 2); }));
    const auto found = read([](store::Reader& r) { return find_attempts(r, "4711", 10); });
    ASSERT_TRUE(found);
    std::vector<std::string> left;
    for (const auto& attempt : *found)
        left.push_back(attempt.client_id);
    EXPECT_EQ(left, (std::vector<std::string>{"device-4", "device-3", "device-0"}));
}

}  // namespace
}  // namespace hatchery::registry
