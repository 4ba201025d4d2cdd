#include "provisioning/audit/auditor.h"

#include "tests/provisioning/registry/registry_fixture.h"

#include <gmock/gmock.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include <future>
#include <thread>

namespace hatchery::audit {
namespace {

using registry::AuditTask;
using registry::AuditTaskStatus;

/// A webhook on a free port: hands over the first body that it gets.
class Webhook {
  public:
    Webhook() {
        server_.Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
            response.status = 204;
            if (!told_) first_.set_value(request.body);
            told_ = true;
        });
        port_ = server_.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running())
            std::this_thread::yield();
    }
    ~Webhook() {
        server_.stop();
        thread_.join();
    }
    Webhook(const Webhook&) = delete;
    Webhook& operator=(const Webhook&) = delete;
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
    std::string wait() {
        auto body = first_.get_future();
        if (body.wait_for(std::chrono::seconds(60)) != std::future_status::ready) return "nothing";
        return body.get();
    }

  private:
    httplib::Server server_;
    std::promise<std::string> first_;
    bool told_ = false;  // the server's thread alone
    int port_ = 0;
    std::thread thread_;
};

class AuditorTest : public registry::RegistryTest {};

TEST_F(AuditorTest, RunsWhatWaitsAndTellsTheWebhook) {
    ASSERT_TRUE(make_policy("idle"));
    auto task = write([](store::Tx& tx) {
        return registry::add_audit_task(
            tx, {"HATCHERY_UNUSED_POLICY_CHECK"}, "nightly", clock_now());
    });
    ASSERT_TRUE(task);
    Webhook webhook;
    const Auditor auditor(*store_, account_, {.webhook = webhook.url()});
    const auto told = nlohmann::json::parse(webhook.wait(), nullptr, false);
    ASSERT_TRUE(told.is_object()) << told;
    EXPECT_EQ(told["taskId"], task->id);
    EXPECT_EQ(told["taskStatus"], "COMPLETED");
    EXPECT_EQ(told["taskType"], "SCHEDULED_AUDIT_TASK");
    EXPECT_EQ(told["auditDetails"][0]["nonCompliantResourcesCount"], 1);
    auto done =
        read([&](store::Reader& reader) { return registry::find_audit_task(reader, task->id); });
    ASSERT_TRUE(done);
    EXPECT_EQ(done->status, AuditTaskStatus::Completed);
}

TEST_F(AuditorTest, LeavesACommandsTaskToTheCommand) {
    ASSERT_TRUE(write([](store::Tx& tx) {
        return registry::add_audit_task(tx,
                                        {"HATCHERY_UNUSED_POLICY_CHECK"},
                                        std::nullopt,
                                        clock_now(),
                                        registry::AuditRunner::Command);
    }));
    EXPECT_FALSE(read(registry::next_audit_task)->has_value());
}

TEST(Notification, SaysWhyAWebhookDoesNotAnswer) {
    EXPECT_EQ(post_to_webhook("ftp://x", "{}").error().code, Code::InvalidRequest);
    Webhook webhook;
    const std::string wrong = webhook.url() + "s";
    const auto refused = post_to_webhook(wrong, "{}");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "expected a 2xx answer, found 404");
}

}  // namespace
}  // namespace hatchery::audit
