#include "provisioning/flows/wire_error.h"

#include <gtest/gtest.h>

#include <set>

namespace hatchery::flows {
namespace {

struct WireCase {
    Code code;
    const char* where;
    int status;
    const char* error_code;
    const char* message;
};

const WireCase kCases[] = {
    {Code::InvalidRequest, "", 400, "InvalidParameters", "m"},
    {Code::InvalidRequest, "/Resources/t", 400, "InvalidParameters", "m"},
    {Code::InvalidRequest, "/parameters/x", 400, "InvalidParameters", "/parameters/x: m"},
    {Code::InvalidRequest, "payload", 400, "InvalidPayload", "m"},
    {Code::InvalidRequest, "CSR", 400, "InvalidCsr", "m"},
    {Code::InvalidRequest, "CSR.key", 400, "InvalidCsr", "CSR.key: m"},
    {Code::InvalidRequest,
     "certificateOwnershipToken",
     400,
     "InvalidCertificateOwnershipToken",
     "m"},
    {Code::Unauthenticated, "", 403, "AccessDenied", "Access denied"},
    {Code::Forbidden, "", 403, "AccessDenied", "Access denied"},
    {Code::Forbidden,
     "preProvisioningHook",
     403,
     "AccessDenied",
     "Refused by the pre-provisioning hook"},
    {Code::NotFound, "/Resources/t", 404, "ResourceNotFound", "m"},
    {Code::AlreadyExists, "", 409, "ResourceConflicts", "m"},
    {Code::Conflict, "", 409, "ResourceConflicts", "m"},
    {Code::DeleteConflict, "", 409, "ResourceConflicts", "m"},
    {Code::LimitExceeded, "", 409, "ResourceConflicts", "m"},
    {Code::VersionsLimitExceeded, "", 409, "ResourceConflicts", "m"},
    {Code::VersionConflict, "", 409, "ResourceConflicts", "m"},
    {Code::CertificateInvalid, "", 500, "InternalFailure", "Internal failure, request r1"},
    {Code::CertificateState, "", 409, "ResourceConflicts", "m"},
    {Code::CertificateConflict, "", 409, "ResourceConflicts", "m"},
    {Code::RegistrationCodeInvalid, "", 400, "InvalidParameters", "m"},
    {Code::MalformedPolicy, "", 400, "InvalidParameters", "m"},
    {Code::Throttled, "", 429, "Throttling", "m"},
    {Code::NotImplemented, "", 500, "InternalFailure", "Internal failure, request r1"},
    {Code::Unavailable, "", 500, "InternalFailure", "Internal failure, request r1"},
    {Code::Internal, "", 500, "InternalFailure", "Internal failure, request r1"},
};

TEST(WireError, GivesEveryCodeItsForm) {
    std::set<Code> seen;
    for (const auto& test : kCases) {
        SCOPED_TRACE(to_string(test.code));
        const auto rejection = rejection_of(fail(test.code, "m", test.where), "r1");
        EXPECT_EQ(rejection.status_code, test.status);
        EXPECT_EQ(rejection.error_code, test.error_code);
        EXPECT_EQ(rejection.error_message, test.message);
        seen.insert(test.code);
    }
    for (int code = 0; code <= static_cast<int>(Code::Internal); ++code) {
        EXPECT_EQ(seen.count(static_cast<Code>(code)), 1U) << to_string(static_cast<Code>(code));
    }
}

}  // namespace
}  // namespace hatchery::flows
