// The jobs data plane by device certificate: paths, policies, answers and the names of errors.
#include "provisioning/enroll/jobs.h"

#include "provisioning/flows/jobs_context.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/front_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace hatchery::enroll {
namespace {

using nlohmann::json;
using test::must;

TEST(DeviceJobs, AreBelowAThingsJobs) {
    EXPECT_TRUE(is_jobs("/things/pump-1/jobs"));
    EXPECT_TRUE(is_jobs("/things/pump-1/jobs/j1?executionNumber=1"));
    EXPECT_TRUE(is_jobs("/things/a%3Ab/jobs/%24next"));
    EXPECT_FALSE(is_jobs("/things/pump-1"));
    EXPECT_FALSE(is_jobs("/things/pump-1/jobsx"));
    EXPECT_FALSE(is_jobs("/things/pump-1?x=/jobs"));
    EXPECT_FALSE(is_jobs("/topics/things/pump-1/jobs"));
}

class DeviceJobsTest : public testing::Test {
  protected:
    DeviceJobsTest() : device_(front_.identity("device", subject())) {
        const auto& account = front_.service.settings.account;
        must(front_.store->write([&](store::Tx& tx) -> Result<> {
            for (const auto* name : {"pump-1", "pump-2"}) {
                auto made = registry::create_thing(tx, account, {name, {}, {}, {}}, front_.now);
                if (!made) return std::move(made).error();
            }
            const std::string policy =
                R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*JobExecution*","Resource":")" +
                account.arn("thing", "pump-1") + R"("}})";
            auto created = registry::create_policy(tx, account, "jobs", policy, front_.now);
            if (!created) return std::move(created).error();
            auto added = registry::add_certificate(tx,
                                                   account,
                                                   device_.certificate,
                                                   registry::CertificateStatus::Active,
                                                   std::nullopt,
                                                   registry::CertificateMode::Default,
                                                   front_.now);
            if (!added) return std::move(added).error();
            return registry::attach_policy_to_certificate(tx, "jobs", device_.certificate.id());
        }));
        jobs::NewJob job;
        job.id = "j1";
        job.document = R"({"do":"it"})";
        job.targets = {account.arn("thing", "pump-1")};
        must(jobs::create_job(flows::jobs_context(front_.service), job, front_.now));
    }

    static ca::CsrSubject subject() {
        ca::CsrSubject subject;
        subject.attributes = {{std::string(ca::oid::kCommonName), "pump-1"},
                              {std::string(ca::oid::kSerialNumber), "SN-1"}};
        return subject;
    }

    /// The body; status and exception must be these.
    json ask(const std::string& method,
             const std::string& target,
             const std::string& body,
             int status,
             const std::string& exception = "") {
        http::Request request;
        request.method = method;
        request.target = target;
        request.body = body;
        request.client_certificate = device_.certificate;
        request.remote_address = "192.0.2.7";
        const DeviceAnswer answer = answer_jobs(front_.service, request, front_.now);
        EXPECT_EQ(answer.response.status, status) << answer.response.body << answer.why;
        const auto& headers = answer.response.headers;
        EXPECT_EQ(headers.empty() ? "" : headers[0].value, exception);
        return json::parse(answer.response.body);
    }

    test::Front front_;
    test::Identity device_;
};

TEST_F(DeviceJobsTest, GoThroughTheLifeOfAnExecution) {
    EXPECT_EQ(ask("GET", "/things/pump-1/jobs", "", 200)["queuedJobs"][0]["jobId"], "j1");
    EXPECT_EQ(ask("GET", "/things/pump-1/jobs/j1", "", 200)["execution"]["jobDocument"],
              R"({"do":"it"})");
    EXPECT_FALSE(
        ask("GET", "/things/pump-1/jobs/%24next?includeJobDocument=false", "", 200)["execution"]
            .contains("jobDocument"));
    EXPECT_EQ(ask("PUT", "/things/pump-1/jobs/$next", "", 200)["execution"]["status"],
              "IN_PROGRESS");
    ask("POST",
        "/things/pump-1/jobs/j1",
        R"({"status":"SUCCEEDED","expectedVersion":1})",
        409,
        "InvalidStateTransitionException");
    EXPECT_EQ(ask("POST",
                  "/things/pump-1/jobs/j1",
                  R"({"status":"SUCCEEDED","includeJobExecutionState":true})",
                  200)["executionState"]["versionNumber"],
              3);
    ask("GET", "/things/pump-1/jobs/j1", "", 410, "TerminalStateException");
    EXPECT_EQ(ask("PUT", "/things/pump-1/jobs/$next", "{}", 200), json::object());
}

TEST_F(DeviceJobsTest, RefuseWhatIsWrong) {
    const json forbidden = ask("GET", "/things/pump-2/jobs", "", 403, "ForbiddenException");
    EXPECT_EQ(forbidden["message"], "Forbidden");
    ask("GET", "/things/pump-1/jobs/none", "", 404, "ResourceNotFoundException");
    ask("GET", "/things/pump-1/jobs/j1/more", "", 404, "ResourceNotFoundException");
    ask("DELETE", "/things/pump-1/jobs/j1", "", 405, "MethodNotAllowedException");
    ask("GET", "/things/pump-1/jobs/j1?executionNumber=x", "", 400, "InvalidRequestException");
    ask("GET", "/things/pump-1/jobs/j1?includeJobDocument=1", "", 400, "InvalidRequestException");
    ask("POST", "/things/pump-1/jobs/j1", "[", 400, "InvalidRequestException");
    ask("POST", "/things/pump-1/jobs/j1", R"({"status":"QUEUED"})", 400, "InvalidRequestException");
    ask("POST",
        "/things/pump-1/jobs/j1",
        R"({"status":"FAILED","includeJobDocument":1})",
        400,
        "InvalidRequestException");
    http::Request nobody;
    nobody.method = "GET";
    nobody.target = "/things/pump-1/jobs";
    EXPECT_EQ(answer_jobs(front_.service, nobody, front_.now).response.status, 403);
}

}  // namespace
}  // namespace hatchery::enroll
