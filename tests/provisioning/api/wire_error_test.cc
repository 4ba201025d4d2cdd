#include "provisioning/api/wire_error.h"

#include "provisioning/api/sigv4.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::api {
namespace {

struct Case {
    Code code;
    int status;
    const char* exception;
};

// The statuses are those of the iot 2015-05-28 service model.
const Case kCases[] = {
    {Code::InvalidRequest, 400, "InvalidRequestException"},
    {Code::Unauthenticated, 403, "InvalidSignatureException"},
    {Code::Forbidden, 403, "AccessDeniedException"},
    {Code::NotFound, 404, "ResourceNotFoundException"},
    {Code::AlreadyExists, 409, "ResourceAlreadyExistsException"},
    {Code::Conflict, 409, "ConflictingResourceUpdateException"},
    {Code::DeleteConflict, 409, "DeleteConflictException"},
    {Code::LimitExceeded, 410, "LimitExceededException"},
    {Code::VersionsLimitExceeded, 409, "VersionsLimitExceededException"},
    {Code::VersionConflict, 409, "VersionConflictException"},
    {Code::CertificateInvalid, 400, "CertificateValidationException"},
    {Code::CertificateState, 406, "CertificateStateException"},
    {Code::CertificateConflict, 409, "CertificateConflictException"},
    {Code::RegistrationCodeInvalid, 400, "RegistrationCodeValidationException"},
    {Code::MalformedPolicy, 400, "MalformedPolicyException"},
    {Code::Throttled, 400, "ThrottlingException"},
    {Code::NotImplemented, 501, "NotImplementedException"},
    {Code::Unavailable, 503, "ServiceUnavailableException"},
    {Code::Internal, 500, "InternalFailureException"},
};

TEST(WireError, HasAFormForEveryCode) {
    ASSERT_EQ(std::size(kCases), static_cast<std::size_t>(Code::Internal) + 1);
    for (std::size_t i = 0; i < std::size(kCases); ++i) {
        const Case& one = kCases[i];
        EXPECT_EQ(static_cast<std::size_t>(one.code), i);
        const WireError wire = to_wire(fail(one.code, "expected a, found b", "/c"));
        EXPECT_EQ(wire.status, one.status) << to_string(one.code);
        EXPECT_EQ(wire.exception, one.exception);
        if (one.code == Code::Internal) {
            EXPECT_EQ(wire.body, R"({"message":"Internal failure"})");
        } else if (one.code == Code::Unauthenticated) {
            EXPECT_EQ(wire.body, R"({"message":"expected a, found b"})");
        } else {
            EXPECT_EQ(wire.body, R"x({"message":"expected a, found b (at /c)"})x");
        }
    }
}

TEST(WireError, NamesWhySomebodyIsUnknown) {
    EXPECT_EQ(to_wire(fail(Code::Unauthenticated, "m", std::string(kNoSignature))).exception,
              "MissingAuthenticationTokenException");
    EXPECT_EQ(to_wire(fail(Code::Unauthenticated, "m", std::string(kUnknownKey))).exception,
              "UnrecognizedClientException");
    EXPECT_EQ(to_wire(fail(Code::Unauthenticated, "m", std::string(kBadSignature))).exception,
              "InvalidSignatureException");
}

TEST(WireError, CarriesTheResourceInTheWay) {
    const WireError wire =
        to_wire({Code::AlreadyExists, "exists", "", "arn:aws:iot:us-east-1:123456789012:thing/t1"});
    const auto body = nlohmann::json::parse(wire.body);
    EXPECT_EQ(body.at("resourceId"), "t1");
    EXPECT_EQ(body.at("resourceArn"), "arn:aws:iot:us-east-1:123456789012:thing/t1");
}

TEST(WireError, GivesRegisterThingItsOwnException) {
    const Error missing = fail(Code::NotFound, "policy P does not exist");
    EXPECT_EQ(to_wire(missing, "RegisterThing").exception, "ResourceRegistrationFailureException");
    EXPECT_EQ(to_wire(missing, "RegisterThing").status, 400);
    EXPECT_EQ(to_wire(missing, "DescribeThing").status, 404);
    EXPECT_EQ(to_wire(fail(Code::InvalidRequest, "m"), "RegisterThing").exception,
              "InvalidRequestException");
}

TEST(WireError, NamesOnlyWhatTheOperationDeclares) {
    const auto name = [](Code code, const char* operation, const char* where = "") {
        return to_wire(fail(code, "m", where), operation).exception;
    };
    EXPECT_EQ(name(Code::Conflict, "TransferCertificate"), "TransferConflictException");
    EXPECT_EQ(name(Code::Conflict, "CancelCertificateTransfer"),
              "TransferAlreadyCompletedException");
    EXPECT_EQ(name(Code::NotFound, "CreateThingGroup"), "InvalidRequestException");
    EXPECT_EQ(name(Code::LimitExceeded, "AddThingToThingGroup"), "InvalidRequestException");
    EXPECT_EQ(name(Code::InvalidRequest, "SearchIndex", "queryString"), "InvalidQueryException");
    EXPECT_EQ(name(Code::InvalidRequest, "SearchIndex", "/maxResults"), "InvalidRequestException");
}

TEST(WireError, SurvivesBytesThatAreNoUtf8) {
    EXPECT_EQ(to_wire(fail(Code::InvalidRequest, "found \xff")).body,
              "{\"message\":\"found \xEF\xBF\xBD\"}");
    EXPECT_EQ(unknown_operation("GET", "/\xff").exception, "UnknownOperationException");
}

TEST(WireError, WordsWhatHttpItselfRefuses) {
    EXPECT_EQ(http_error(413).body, R"({"message":"Expected a request body of at most 1 MiB"})");
    EXPECT_EQ(http_error(413).exception, "InvalidRequestException");
    EXPECT_EQ(http_error(404).exception, "UnknownOperationException");
    EXPECT_EQ(http_error(400).status, 400);
}

}  // namespace
}  // namespace hatchery::api
