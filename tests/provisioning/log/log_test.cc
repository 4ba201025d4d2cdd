#include "provisioning/log/log.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace hatchery {
namespace {

TEST(LogValue, QuotesWhatCouldForgeALine) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"sensor-1", "sensor-1"},
        {"$aws/x", R"("$aws/x")"},
        {"", R"("")"},
        {"two words", R"("two words")"},
        {"a=b", R"("a=b")"},
        {"say \"hi\"\\", R"("say \"hi\"\\")"},
        {"line\nclosed connection=c-1", R"("line\x0aclosed connection=c-1")"},
        {"\x1b[2J\x7f", R"("\x1b[2J\x7f")"},
    };
    for (const auto& [value, logged] : cases)
        EXPECT_EQ(log_value(value), logged);
}

TEST(LogValue, CutsLongValues) {
    EXPECT_EQ(log_value(std::string(65'535, 'x')), "\"" + std::string(512, 'x') + "...\"");
}

TEST(Logger, IsMadeOnceFromTheDefaultOne) {
    const auto made = logger("log_test");
    EXPECT_EQ(made->name(), "log_test");
    EXPECT_EQ(made->sinks(), spdlog::default_logger()->sinks());
    EXPECT_EQ(logger("log_test"), made);
}

}  // namespace
}  // namespace hatchery
