// Requests signed by botocore (tests/data/sigv4/cases.json), then the same requests spoiled in one
// place; and the signed requests that AWS publishes (published.json).
#include "provisioning/api/sigv4.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <fstream>

namespace hatchery::api {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct Golden {
    std::string name, method, target, body;
    std::vector<Header> headers;
};

struct GoldenFile {
    std::string access_key, secret;
    Time now;
    std::vector<Golden> cases;
};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

GoldenFile load(const std::string& name) {
    std::ifstream file(HATCHERY_TEST_DATA "/sigv4/" + name);
    const auto json = nlohmann::json::parse(file);
    GoldenFile golden{json.at("access_key"), json.at("secret"), Time(seconds(json.at("now"))), {}};
    for (const auto& entry : json.at("cases")) {
        Golden one{entry.at("name"), entry.at("method"), entry.at("target"), entry.at("body"), {}};
        for (const auto& field : entry.at("headers")) {
            one.headers.push_back({lower(field.at(0)), field.at(1)});
        }
        golden.cases.push_back(std::move(one));
    }
    return golden;
}

const GoldenFile& golden() {
    static const GoldenFile file = load("cases.json");
    return file;
}

const GoldenFile& published() {
    static const GoldenFile file = load("published.json");
    return file;
}

Golden named(std::string_view name) {
    for (const auto& one : golden().cases) {
        if (one.name == name) return one;
    }
    ADD_FAILURE() << "no case " << name;
    return {};
}

std::string& header(Golden& request, std::string_view name) {
    for (auto& field : request.headers) {
        if (field.name == name) return field.value;
    }
    ADD_FAILURE() << "no header " << name;
    return request.headers.front().value;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
}

/// Verifies with the file's key, or with another secret.
Result<std::shared_ptr<const AccessKey>> check(
    const Golden& request,
    seconds later = seconds(0),
    std::string secret = golden().secret,
    const GoldenFile& file = golden(),
    std::span<const std::string_view> services = kServices) {
    auto target = parse_target(request.target);
    EXPECT_TRUE(target);
    const SignedRequest to_verify{request.method, *target, request.headers, request.body};
    return verify(
        to_verify,
        file.now + later,
        [&](std::string_view id) -> Result<std::shared_ptr<const AccessKey>> {
            if (id != file.access_key) return fail(Code::NotFound, "no such key");
            return std::make_shared<const AccessKey>(
                AccessKey{std::string(id), "admin", Secret::copy_of(bytes_of(secret))});
        },
        services);
}

void expect_refused(const Golden& request, std::string_view message, seconds later = seconds(0)) {
    const auto key = check(request, later);
    ASSERT_FALSE(key) << request.name;
    EXPECT_EQ(key.error().code, Code::Unauthenticated);
    EXPECT_EQ(key.error().message, message);
}

constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method";

class SigV4Golden : public testing::TestWithParam<std::size_t> {};

TEST_P(SigV4Golden, AcceptsWhatBotocoreSigns) {
    const Golden& request = golden().cases[GetParam()];
    const auto key = check(request);
    ASSERT_TRUE(key) << request.name << ": " << to_string(key.error());
    EXPECT_EQ((*key)->id, golden().access_key);
}

TEST_P(SigV4Golden, RefusesAnotherSecret) {
    const auto key = check(golden().cases[GetParam()], seconds(0), golden().secret + "x");
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().message, kMismatch);
    EXPECT_EQ(key.error().where, kBadSignature);
}

TEST_P(SigV4Golden, RefusesAnotherMethod) {
    Golden request = golden().cases[GetParam()];
    request.method = request.method == "GET" ? "DELETE" : "GET";
    expect_refused(request, kMismatch);
}

TEST_P(SigV4Golden, RefusesAnotherPath) {
    Golden request = golden().cases[GetParam()];
    request.target.insert(request.target.find('?') == std::string::npos ? request.target.size()
                                                                        : request.target.find('?'),
                          "x");
    expect_refused(request, kMismatch);
}

TEST_P(SigV4Golden, RefusesAFurtherParameter) {
    Golden request = golden().cases[GetParam()];
    request.target += request.target.find('?') == std::string::npos ? "?a=b" : "&a=b";
    expect_refused(request, kMismatch);
}

std::string test_name(std::string name) {
    for (char& c : name)
        c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
}

INSTANTIATE_TEST_SUITE_P(SigV4,
                         SigV4Golden,
                         testing::Range(std::size_t{0}, golden().cases.size()),
                         [](const auto& one) { return test_name(golden().cases[one.param].name); });

class SigV4Published : public testing::TestWithParam<std::size_t> {};

TEST_P(SigV4Published, IsAcceptedAsPublishedAndRefusedWhenSpoiled) {
    static constexpr std::array<std::string_view, 1> kService{"service"};
    const auto outcome = [](const Golden& request, const std::string& secret) {
        return check(request, seconds(0), secret, published(), kService);
    };
    const Golden& request = published().cases[GetParam()];
    const auto key = outcome(request, published().secret);
    ASSERT_TRUE(key) << to_string(key.error());
    EXPECT_EQ((*key)->id, published().access_key);
    EXPECT_FALSE(outcome(request, published().secret + "x"));
    Golden spoiled = request;
    spoiled.body += "x";
    EXPECT_FALSE(outcome(spoiled, published().secret));
    spoiled = request;
    spoiled.method = "PUT";
    EXPECT_FALSE(outcome(spoiled, published().secret));
    // The suite's service is none of ours.
    const auto elsewhere = check(request, seconds(0), published().secret, published());
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().message, "Credential should be scoped to correct service: 'iot'");
}

INSTANTIATE_TEST_SUITE_P(SigV4,
                         SigV4Published,
                         testing::Range(std::size_t{0}, published().cases.size()),
                         [](const auto& one) {
                             return test_name(published().cases[one.param].name);
                         });

TEST(SigV4, RefusesAChangedBody) {
    Golden request = named("json body");
    request.body += " ";
    expect_refused(request, kMismatch);
}

TEST(SigV4, RefusesABodyThatIsNotTheStatedOne) {
    Golden request = named("stated body digest");
    request.body += " ";
    expect_refused(request,
                   "The value of x-amz-content-sha256 does not match the SHA-256 of the body");
    request = named("stated body digest");
    header(request, "x-amz-content-sha256") = "UNSIGNED-PAYLOAD";
    expect_refused(request,
                   "The value of x-amz-content-sha256 does not match the SHA-256 of the body");
}

TEST(SigV4, AllowsFifteenMinutesOfSkewAndNoSecondMore) {
    const Golden request = named("json body");
    EXPECT_TRUE(check(request, minutes(15)));
    EXPECT_TRUE(check(request, -minutes(15)));
    expect_refused(request,
                   "Signature expired: signed at 2026-11-22T19:30:04Z, valid until "
                   "2026-11-22T19:45:04Z, now 2026-11-22T19:45:05Z",
                   minutes(15) + seconds(1));
    expect_refused(request,
                   "Signature not yet current: 2026-11-22T19:30:04Z is more than 15 minutes after "
                   "2026-11-22T19:15:03Z",
                   -minutes(15) - seconds(1));
}

TEST(SigV4, HoldsAPresignedRequestToItsExpiry) {
    const Golden request = named("presigned");
    EXPECT_TRUE(check(request, seconds(300)));
    expect_refused(request,
                   "Signature expired: signed at 2026-11-22T19:30:04Z, valid until "
                   "2026-11-22T19:35:04Z, now 2026-11-22T19:35:05Z",
                   seconds(301));
    Golden longer = request;
    replace(longer.target, "X-Amz-Expires=300", "X-Amz-Expires=301");
    expect_refused(longer, kMismatch);
    replace(longer.target, "X-Amz-Expires=301", "X-Amz-Expires=604801");
    expect_refused(longer, "expected X-Amz-Expires between 1 and 604800");
    Golden incomplete = request;
    replace(incomplete.target, "X-Amz-SignedHeaders", "X-Amz-Other");
    expect_refused(incomplete,
                   "expected X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders and "
                   "X-Amz-Signature in the query");
}

TEST(SigV4, TellsNoSignatureAndUnknownKeyApart) {
    Golden request = named("get without a body");
    std::erase_if(request.headers, [](const auto& field) { return field.name == "authorization"; });
    const auto unsigned_request = check(request);
    ASSERT_FALSE(unsigned_request);
    EXPECT_EQ(unsigned_request.error().message, "Missing Authentication Token");
    EXPECT_EQ(unsigned_request.error().where, kNoSignature);

    request = named("get without a body");
    replace(header(request, "authorization"), "AKIDEXAMPLE000000000", "AKIDEXAMPLE000000001");
    const auto unknown = check(request);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().message, "The security token included in the request is invalid");
    EXPECT_EQ(unknown.error().where, kUnknownKey);
}

TEST(SigV4, RefusesAnInputHeaderThatIsNotSigned) {
    Golden request = named("get without a body");
    request.headers.push_back({"x-amzn-principal", "arn:aws:iot:us-east-1:1:cert/ab"});
    expect_refused(request, "expected 'x-amzn-principal' among the signed headers");
}

TEST(SigV4, RefusesAChangedOrRepeatedSignedHeader) {
    Golden request = named("signed header input");
    header(request, "x-amzn-principal") += "0";
    expect_refused(request, kMismatch);
    request = named("signed header input");
    request.headers.push_back({"x-amzn-principal", "arn:aws:iot:us-east-1:1:cert/ab"});
    expect_refused(request, kMismatch);
    request = named("signed header input");
    header(request, "host") = "127.0.0.1:18501";
    expect_refused(request, kMismatch);
}

TEST(SigV4, RefusesAPathThatMeansAnotherResourceInTheSameLetters) {
    // Decoded once these are the same text; a slash that was signed as data stays data.
    Golden request = named("arn as one segment is encoded twice");
    replace(request.target, "%2F", "/");
    expect_refused(request, kMismatch);
    request = named("arn as one segment is encoded twice");
    replace(request.target, "%3A", "%253A");
    expect_refused(request, kMismatch);
    request = named("space, equals and at sign");
    replace(request.target, "%20", "+");
    expect_refused(request, kMismatch);
}

TEST(SigV4, RefusesASecondValueOfAParameter) {
    Golden request = named("query out of order");
    request.target += "&maxResults=250";
    expect_refused(request, kMismatch);
    request = named("presigned");
    replace(request.target, "X-Amz-Expires=300", "X-Amz-Expires=300&X-Amz-Expires=604800");
    expect_refused(request, kMismatch);
}

TEST(SigV4, DoesNotMindASecondSignatureThatIsNotTheFirst) {
    // The signature itself cannot be signed; the first one counts, whatever follows.
    Golden request = named("presigned");
    request.target += "&X-Amz-Signature=" + std::string(64, '0');
    EXPECT_TRUE(check(request));
    request = named("presigned");
    replace(request.target, "?", "?X-Amz-Signature=" + std::string(64, '0') + "&");
    expect_refused(request, kMismatch);
}

TEST(SigV4, RefusesAScopeOfAnotherServiceOrDay) {
    Golden request = named("json body");
    replace(header(request, "authorization"), "/iot/", "/s3/");
    expect_refused(request, "Credential should be scoped to correct service: 'iot'");
    request = named("json body");
    replace(header(request, "authorization"), "/iot/", "/execute-api/");
    expect_refused(request, kMismatch);
    request = named("json body");
    replace(header(request, "authorization"), "/us-east-1/", "/eu-west-1/");
    expect_refused(request, kMismatch);
}

TEST(SigV4, DoesNotMindTheOrderOfHeadersAndMembers) {
    Golden request = named("signed header input");
    std::reverse(request.headers.begin(), request.headers.end());
    std::string& authorization = header(request, "authorization");
    const std::size_t credential = authorization.find("Credential="),
                      signature = authorization.find("Signature=");
    authorization = "AWS4-HMAC-SHA256 " + authorization.substr(signature) + "," +
                    authorization.substr(credential, signature - credential - 2);
    EXPECT_TRUE(check(request));
}

struct Malformed {
    std::string name, from, to, message;
};
class SigV4Malformed : public testing::TestWithParam<Malformed> {};

TEST_P(SigV4Malformed, SaysWhatWasExpected) {
    Golden request = named("get without a body");
    replace(header(request, "authorization"), GetParam().from, GetParam().to);
    expect_refused(request, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    SigV4,
    SigV4Malformed,
    testing::Values(
        Malformed{"other_algorithm",
                  "AWS4-HMAC-SHA256 ",
                  "AWS4-HMAC-SHA512 ",
                  "expected an Authorization header that begins with AWS4-HMAC-SHA256"},
        Malformed{"no_credential",
                  "Credential=",
                  "Kredential=",
                  "expected Credential, SignedHeaders and Signature in the Authorization header"},
        Malformed{"short_scope",
                  "/us-east-1/iot",
                  "/iot",
                  "expected a Credential of the form KEY/DATE/REGION/SERVICE/aws4_request"},
        Malformed{"other_service",
                  "/iot/",
                  "/s3/",
                  "Credential should be scoped to correct service: 'iot'"},
        Malformed{"other_end",
                  "aws4_request",
                  "aws5_request",
                  "expected a Credential that ends with aws4_request"},
        Malformed{"host_not_signed", "host;", "", "expected 'host' among the signed headers"},
        Malformed{
            "absent_header_signed", "host;", "host;x-none;", "expected the signed header 'x-none'"},
        Malformed{"upper_case_signature",
                  "Signature=82fe",
                  "Signature=82FE",
                  "expected a Signature of 64 lower-case hexadecimal digits"},
        Malformed{"date_of_another_day",
                  "/20261122/",
                  "/20261121/",
                  "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                  "from HTTP: '20261121' != '20261122'"},
        Malformed{"other_region", "us-east-1", "us-east-2", std::string(kMismatch)}),
    [](const auto& one) { return one.param.name; });

TEST(SigV4, RefusesADateThatIsNone) {
    for (const char* date : {"",
                             "20261122",
                             "20261322T193004Z",
                             "20261122T253004Z",
                             "2026-11-22T19:30:04Z",
                             "20261122T193004+"}) {
        Golden request = named("get without a body");
        header(request, "x-amz-date") = date;
        expect_refused(request, "expected X-Amz-Date in the form YYYYMMDDTHHMMSSZ");
    }
}

TEST(SigV4, PassesOnAFailedLookUp) {
    const Golden request = named("get without a body");
    auto target = parse_target(request.target);
    ASSERT_TRUE(target);
    const SignedRequest to_verify{request.method, *target, request.headers, request.body};
    const auto key = verify(
        to_verify, golden().now, [](std::string_view) -> Result<std::shared_ptr<const AccessKey>> {
            return fail(Code::Unavailable, "disk full");
        });
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Code::Unavailable);
}

}  // namespace
}  // namespace hatchery::api
