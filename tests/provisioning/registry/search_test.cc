#include "provisioning/registry/search.h"

#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

using Names = std::vector<std::string>;

class SearchTest : public RegistryTest {
  protected:
    void SetUp() override {
        RegistryTest::SetUp();
        ThingType type;
        type.name = "Sensor";
        type.searchable_attributes = {"color"};
        ASSERT_TRUE(
            write([&](store::Tx& tx) { return create_thing_type(tx, account_, type, kNow); }));
        ASSERT_TRUE(make_group("Plant"));
        ASSERT_TRUE(make_group("Hall", "Plant"));
        add("tv-1", "Sensor", {{"color", "Blue"}, {"size", "9"}}, {"Hall"});
        add("tv-2", "Sensor", {{"color", "blueish"}, {"size", "10"}}, {"Plant"});
        add("plasma", std::nullopt, {{"color", "red"}, {"size", "40"}}, {});
        add("a:b", std::nullopt, {{"note", "blue"}}, {});
    }
    void add(const std::string& name,
             std::optional<std::string> type,
             Attributes attributes,
             const Names& groups) {
        ASSERT_TRUE(make_thing({name, std::move(type), std::move(attributes), std::nullopt}));
        for (const auto& group : groups) {
            ASSERT_TRUE(write([&](store::Tx& tx) { return add_thing_to_group(tx, name, group); }));
        }
    }
    /// Names of what is found, in order, over pages of `limit`.
    Names found(std::string_view text, int limit = 100) {
        auto query = SearchQuery::parse(text);
        EXPECT_TRUE(query) << text << ": " << to_string(query.error());
        if (!query) return {};
        const auto all = all_pages(limit, [&](store::Reader& reader, const PageRequest& page) {
            return search_things(reader, *query, page);
        });
        Names names;
        for (const auto& one : all.first)
            names.push_back(one.thing.name);
        return names;
    }
};

struct QueryCase {
    const char* query;
    Names names;
};
const QueryCase kQueryCases[] = {
    {"*", {"tv-1", "tv-2", "plasma", "a:b"}},
    {"thingName:tv-1", {"tv-1"}},
    {"thingName:TV*", {"tv-1", "tv-2"}},
    {"thingName:t?-2", {"tv-2"}},
    {"thingName:a\\:b", {"a:b"}},
    {"thingName:\"a:b\"", {"a:b"}},
    {"thingName:\"tv*\"", {}},
    {"thingName:(tv* AND -tv-1)", {"tv-2"}},
    {"thingTypeName:sensor", {"tv-1", "tv-2"}},
    {"registry.thingGroupNames:Hall", {"tv-1"}},
    {"thingGroupNames:(hall OR plant)", {"tv-1", "tv-2"}},
    {"attributes.color:BLUE", {"tv-1"}},
    {"attributes.color:blue*", {"tv-1", "tv-2"}},
    {"attributes.Color:blue*", {}},
    {"attributes.size:[10 TO 40]", {"tv-2", "plasma"}},
    {"attributes.size:{9 TO *]", {"tv-2", "plasma"}},
    {"attributes.size>=10", {"tv-2", "plasma"}},
    {"attributes.size:<10", {"tv-1"}},
    {"attributes.color>blue AND attributes.color<c", {"tv-2"}},
    {"blue", {"tv-1", "a:b"}},
    {"thingTypeName:Sensor attributes.size<10", {"tv-1"}},
    {"NOT thingTypeName:Sensor", {"plasma", "a:b"}},
    {"attributes.color:red OR thingName:a* AND attributes.note:blue", {"plasma", "a:b"}},
    {"(attributes.color:red OR thingName:tv*) AND NOT attributes.color:blueish",
     {"tv-1", "plasma"}},
};

TEST_F(SearchTest, FindsByTheQueryLanguage) {
    for (const auto& one : kQueryCases) {
        EXPECT_EQ(found(one.query), one.names) << one.query;
        EXPECT_EQ(found(one.query, 1), one.names) << one.query << ", a thing a page";
    }
}

TEST_F(SearchTest, TellsTheGroupsOfWhatItFinds) {
    auto query = SearchQuery::parse("attributes.size>1");
    ASSERT_TRUE(query);
    auto page = read([&](store::Reader& reader) { return search_things(reader, *query, {}); });
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 3U);
    EXPECT_EQ(page->items[0].groups, Names{"Hall"});
    EXPECT_EQ(page->items[2].groups, Names{});
}

TEST_F(SearchTest, FollowsWhatChanges) {
    ThingUpdate update;
    update.attributes = Attributes{{"color", "green"}};
    update.merge_attributes = true;
    ASSERT_TRUE(write([&](store::Tx& tx) { return update_thing(tx, "tv-1", update); }));
    EXPECT_EQ(found("attributes.color:blue"), Names{});
    EXPECT_EQ(found("attributes.color:green"), Names{"tv-1"});
    ASSERT_TRUE(write([&](store::Tx& tx) { return delete_thing(tx, "tv-1", std::nullopt); }));
    EXPECT_EQ(found("attributes.color:green"), Names{});
    // A new index covers the things that are there already.
    ASSERT_TRUE(write([&](store::Tx& tx) { return add_indexed_attributes(tx, {"note"}); }));
    EXPECT_EQ(found("attributes.note:blue"), Names{"a:b"});
    auto names = read([](store::Reader& reader) { return indexed_attributes(reader); });
    ASSERT_TRUE(names);
    EXPECT_EQ(*names, (Names{"color", "note"}));
    ThingTypeUpdate type;
    type.searchable_attributes = Names{"size"};
    ASSERT_TRUE(write([&](store::Tx& tx) { return update_thing_type(tx, "Sensor", type); }));
    EXPECT_EQ(found("attributes.size:40"), Names{"plasma"});
}

TEST_F(SearchTest, ListsThingsByAnIndexedAttributeToo) {
    ThingFilter filter;
    filter.attribute_name = "color";
    const auto list = [&](const char* value) {
        filter.attribute_value = value;
        Names names;
        const auto pages = all_pages(1, [&](store::Reader& reader, const PageRequest& page) {
            return list_things(reader, page, filter);
        });
        for (const auto& thing : pages.first)
            names.push_back(thing.name);
        return names;
    };
    EXPECT_EQ(list("Blue"), Names{"tv-1"});
    EXPECT_EQ(list("blue"), Names{});  // case matters here
    EXPECT_EQ(list("red"), Names{"plasma"});
    filter.thing_type = "Sensor";
    EXPECT_EQ(list("red"), Names{});
    EXPECT_EQ(list("Blue"), Names{"tv-1"});
}

TEST(SearchQueryTest, SaysWhatIsWrong) {
    const std::pair<const char*, const char*> cases[] = {
        {"", "expected a value at character 1"},
        {"thingName:", "expected a value at character 11"},
        {"(a", "expected ')' at character 3"},
        {"a)", "expected no ')' at character 2"},
        {"\"a", "expected '\"' at character 3"},
        {"*a", "expected no wildcard at the start of a term"},
        {"attributes.x:[1 2]", "expected TO at character 17"},
        {"attributes.x:[1 TO 2", "expected ']' or '}' at character 21"},
        {"1 2 3 4 5 6 7 8 9 10 11 12 13", "expected at most 12 terms"},
        {"connectivity.connected:true",
         "expected thingName, thingId, thingTypeName, thingGroupNames or attributes.NAME, found "
         "field 'connectivity.connected'"},
        {"a\tb", "expected no control characters"},
        {"((((((((((((((((((a))))))))))))))))))", "expected a query nested at most 16 deep"},
        {"NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT NOT a",
         "expected a query nested at most 16 deep"},
    };
    for (const auto& [query, message] : cases)
        expect_error(SearchQuery::parse(query), Code::InvalidRequest, message, "queryString");
}

}  // namespace
}  // namespace hatchery::registry
