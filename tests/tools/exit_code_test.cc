#include "tools/hatchery/exit_code.h"

#include <gtest/gtest.h>

namespace hatchery::command {
namespace {

TEST(ExitCode, EveryCodeIsARefusalOrAFailureToRun) {
    const struct {
        Code code;
        int expected;
    } cases[] = {
        {Code::InvalidRequest, 1},
        {Code::Unauthenticated, 2},
        {Code::Forbidden, 1},
        {Code::NotFound, 1},
        {Code::AlreadyExists, 1},
        {Code::Conflict, 1},
        {Code::DeleteConflict, 1},
        {Code::LimitExceeded, 1},
        {Code::VersionsLimitExceeded, 1},
        {Code::VersionConflict, 1},
        {Code::CertificateInvalid, 1},
        {Code::CertificateState, 1},
        {Code::CertificateConflict, 1},
        {Code::RegistrationCodeInvalid, 1},
        {Code::MalformedPolicy, 1},
        {Code::Throttled, 1},
        {Code::NotImplemented, 2},
        {Code::Unavailable, 2},
        {Code::Internal, 2},
    };
    int expected_next = 0;
    for (const auto& c : cases) {
        EXPECT_EQ(static_cast<int>(c.code), expected_next++) << "a code is missing in this table";
        EXPECT_EQ(exit_code(c.code), c.expected) << to_string(c.code);
    }
    EXPECT_EQ(expected_next, static_cast<int>(Code::Internal) + 1);
}

TEST(ExitCode, AnErrorIsOneLineOnStderr) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(report(fail(Code::InvalidRequest, "found \"a\nb\x1b[2J\"", "CSR.subject.CN")), 1);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "hatchery: CSR.subject.CN: found \"a\\nb\\x1b[2J\"\n");
}

TEST(ExitCode, DoneSaysNothing) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(finish({}), 0);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ExitCode, ABrokenFileIsNoRefusal) {
    const Error error = could_not_run(fail(Code::InvalidRequest, "unknown key", "t.toml:1:1"));
    EXPECT_EQ(exit_code(error.code), 2);
    EXPECT_EQ(to_string(error), "t.toml:1:1: unknown key");
    EXPECT_EQ(could_not_run(fail(Code::Unauthenticated, "x")).code, Code::Unauthenticated);
}

TEST(ExitCode, OneLineKeepsWhatIsNotControl) {
    EXPECT_EQ(one_line("gr\xc3\xbc\xc3\x9f\tx\r\x7f"), "gr\xc3\xbc\xc3\x9f\\tx\\x0d\\x7f");
}

}  // namespace
}  // namespace hatchery::command
