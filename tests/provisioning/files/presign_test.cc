// Links as boto3's own signer makes them (tests/data/presign), and everything that must not pass.
#include "provisioning/files/presign.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace hatchery::files {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2027} / 1 / 1};

struct Golden {
    PresignedGet request;
    Secret secret;
    std::string query;
};

std::vector<Golden> golden() {
    std::ifstream file(std::string(HATCHERY_TEST_DATA) + "/presign/cases.json");
    std::vector<Golden> all;
    for (const auto& one : json::parse(file)) {
        PresignedGet request;
        request.host = one.at("host");
        request.path = one.at("path");
        request.key_id = one.at("key");
        request.region = one.at("region");
        request.signed_at = Time(seconds(one.at("signedAt").get<std::int64_t>()));
        request.lifetime = seconds(one.at("expires").get<std::int64_t>());
        all.push_back({request,
                       Secret::copy_of(bytes_of(one.at("secret").get_ref<const std::string&>())),
                       one.at("query")});
    }
    return all;
}

TEST(Presign, MakesTheLinksThatBotocoreMakes) {
    const auto all = golden();
    ASSERT_EQ(all.size(), 4U);
    EXPECT_TRUE(
        all[0].query.ends_with("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        << "the published example";
    for (const auto& one : all) {
        EXPECT_EQ(presigned_query(one.request, one.secret), one.query);
        EXPECT_TRUE(check_presigned(one.request, one.query, one.secret, one.request.signed_at));
    }
}

PresignedGet request() {
    PresignedGet request;
    request.host = "plant.example:8443";
    request.path = "/files/a.bin";
    request.key_id = "HATCHERY";
    request.region = "us-east-1";
    request.signed_at = kNow;
    request.lifetime = seconds(60);
    return request;
}

std::string verdict(const PresignedGet& asked, const std::string& query, Time now) {
    const Secret secret = Secret::copy_of(bytes_of("secret"));
    const auto good = check_presigned(asked, query, secret, now);
    return good ? "good" : good.error().message;
}

TEST(Presign, IsGoodUntilItsLifetimeIsOver) {
    const std::string query = presigned_query(request(), Secret::copy_of(bytes_of("secret")));
    EXPECT_EQ(verdict(request(), query, kNow), "good");
    EXPECT_EQ(verdict(request(), query, kNow + seconds(59)), "good");
    EXPECT_EQ(verdict(request(), query, kNow + seconds(60)),
              "the link expired at 2027-01-01T00:01:00Z");
}

TEST(Presign, RefusesWhateverWasChanged) {
    const std::string query = presigned_query(request(), Secret::copy_of(bytes_of("secret")));
    constexpr std::string_view changed = "the link was changed, or is none that this server made";
    for (auto field : {&PresignedGet::host, &PresignedGet::path, &PresignedGet::key_id}) {
        PresignedGet other = request();
        other.*field += "x";
        EXPECT_EQ(verdict(other, query, kNow), changed);
    }
    EXPECT_EQ(verdict(request(), query + "&more=1", kNow), changed);
    EXPECT_EQ(verdict(request(), "a=b&" + query, kNow), changed);
    // An expired link whose end was put off says nothing of its end.
    std::string longer = query;
    longer.replace(longer.find("Expires=60"), 10, "Expires=90");
    EXPECT_EQ(verdict(request(), longer, kNow + seconds(70)), changed);
    for (std::size_t i = query.find("Signature=") + 10; i < query.size(); i += 7) {
        std::string one = query;
        one[i] = one[i] == '0' ? '1' : '0';
        EXPECT_EQ(verdict(request(), one, kNow), changed) << i;
    }
}

TEST(Presign, RefusesWhatIsNoPresignedQuery) {
    constexpr std::string_view none =
        "expected a presigned link, with X-Amz-Date, X-Amz-Expires and X-Amz-Signature in its "
        "query";
    const std::string date = "X-Amz-Date=20270101T000000Z", end = "&X-Amz-Signature=00";
    for (const std::string& query : {std::string(),
                                     std::string("&&&"),
                                     std::string("X-Amz-Date"),
                                     date + "&X-Amz-Expires=60",
                                     date + "&X-Amz-Expires=" + end,
                                     date + "&X-Amz-Expires=0" + end,
                                     date + "&X-Amz-Expires=-1" + end,
                                     date + "&X-Amz-Expires=60s" + end,
                                     date + "&X-Amz-Expires=604801" + end,
                                     date + "&X-Amz-Expires=99999999999999999999" + end,
                                     "X-Amz-Date=20270132T000000Z&X-Amz-Expires=60" + end,
                                     "X-Amz-Date=20270101T240000Z&X-Amz-Expires=60" + end,
                                     "X-Amz-Date=2027-1-1T000000Z&X-Amz-Expires=60" + end,
                                     "X-Amz-Date=20270101T000000Zx&X-Amz-Expires=60" + end}) {
        EXPECT_EQ(verdict(request(), query, kNow), none) << query;
    }
}

}  // namespace
}  // namespace hatchery::files
