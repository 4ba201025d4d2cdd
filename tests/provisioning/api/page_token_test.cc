#include "provisioning/api/page_token.h"

#include <gtest/gtest.h>

namespace hatchery::api {
namespace {

TEST(PageToken, GivesThePositionBack) {
    for (const std::string position : {"", "a", "thing:with-colon", "\x01\xff"}) {
        EXPECT_EQ(read_page_token("ListThings", make_page_token("ListThings", position)).value(),
                  position);
    }
}

TEST(PageToken, BelongsToItsListAlone) {
    const std::string token = make_page_token("ListThings", "t7");
    for (const std::string& wrong : {make_page_token("ListPolicies", "t7"),
                                     token.substr(4),
                                     token + "AAAA",
                                     std::string("%%"),
                                     std::string("t7")}) {
        const auto read = read_page_token("ListThings", wrong);
        ASSERT_FALSE(read) << wrong;
        EXPECT_EQ(read.error().message, "expected a token of an earlier page");
    }
}

TEST(PageToken, PagesSortAndNeverRepeat) {
    std::vector<std::string> seen;
    registry::PageRequest request{"", 2};
    for (;;) {
        auto page = page_of({"e", "b", "d", "a", "c"}, request);
        seen.insert(seen.end(), page.items.begin(), page.items.end());
        if (!page.next) break;
        request.after = *page.next;
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
}

TEST(PageToken, LastFullPageHasNoNext) {
    EXPECT_EQ(page_of({"a", "b"}, {"", 2}).next, std::nullopt);
    EXPECT_EQ(page_of({}, {"", 2}).next, std::nullopt);
}

}  // namespace
}  // namespace hatchery::api
