#include "tools/hatchery/logging.h"

#include <gtest/gtest.h>

namespace hatchery::command {
namespace {

LogEvent event(std::string_view message) {
    const auto time =
        std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::milliseconds(5);
    return {time, "info", "gateway", message};
}

TEST(Logging, ATextLineHasTimeLevelLoggerAndMessage) {
    EXPECT_EQ(log_line(event("connect id=7"), LogFormat::Text),
              "2026-11-22T00:00:00.005Z info gateway: connect id=7\n");
}

TEST(Logging, AJsonLineHasTheSameFour) {
    EXPECT_EQ(log_line(event("connect client=\"a\""), LogFormat::Json),
              R"({"time":"2026-11-22T00:00:00.005Z","level":"info","logger":"gateway",)"
              R"("message":"connect client=\"a\""})"
              "\n");
}

TEST(Logging, NoMessageMakesASecondLine) {
    EXPECT_EQ(log_line(event("a\nb"), LogFormat::Text),
              "2026-11-22T00:00:00.005Z info gateway: a\\nb\n");
    EXPECT_EQ(log_line(event("a\nb\xff"), LogFormat::Json),
              R"({"time":"2026-11-22T00:00:00.005Z","level":"info","logger":"gateway",)"
              "\"message\":\"a\\nb\xef\xbf\xbd\"}\n");
}

}  // namespace
}  // namespace hatchery::command
