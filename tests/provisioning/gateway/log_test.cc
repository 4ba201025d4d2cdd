#include "provisioning/gateway/log.h"

#include <gtest/gtest.h>

namespace hatchery::gateway {
namespace {

TEST(Log, QuotesWhatCouldForgeALine) {
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

TEST(Log, CutsLongValues) {
    EXPECT_EQ(log_value(std::string(65'535, 'x')), "\"" + std::string(300, 'x') + "...\"");
}

}  // namespace
}  // namespace hatchery::gateway
