#include "provisioning/registry/things.h"

#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class ThingsTest : public RegistryTest {
  protected:
    Result<ThingType> make_type(const ThingType& wanted) {
        return write([&](store::Tx& tx) { return create_thing_type(tx, account_, wanted, kNow); });
    }
    Result<> deprecate(std::string_view name, bool deprecated, Time now) {
        return write(
            [&](store::Tx& tx) { return set_thing_type_deprecated(tx, name, deprecated, now); });
    }
    Result<Thing> update(std::string_view name, const ThingUpdate& change) {
        return write([&](store::Tx& tx) { return update_thing(tx, name, change); });
    }
    std::vector<std::string> names_of(const ThingFilter& filter, int limit = 250) {
        std::vector<std::string> names;
        auto [things, pages] =
            all_pages(limit, [&](store::Reader& reader, const PageRequest& page) {
                return list_things(reader, page, filter);
            });
        for (const Thing& thing : things)
            names.push_back(thing.name);
        return names;
    }
};

ThingType type_named(std::string name) {
    ThingType type;
    type.name = std::move(name);
    return type;
}

TEST_F(ThingsTest, CreatesAThingOnce) {
    ASSERT_TRUE(make_type(type_named("sensor")));
    BillingGroup billing;
    billing.name = "billing";
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return create_billing_group(tx, account_, billing, kNow); }));
    const NewThing wanted{"t1", "sensor", {{"b", "2"}, {"a", "1"}}, "billing"};
    auto made = make_thing(wanted);
    ASSERT_TRUE(made) << to_string(made.error());
    EXPECT_EQ(made->id.size(), 36U);
    EXPECT_EQ(made->version, 1);
    auto again = make_thing(wanted);
    ASSERT_TRUE(again);
    auto found = read([](store::Reader& reader) { return find_thing(reader, "t1"); });
    ASSERT_TRUE(found);
    for (const Thing& thing : {*made, *again, *found}) {
        EXPECT_EQ(thing.key, made->key);
        EXPECT_EQ(thing.id, made->id);
        EXPECT_EQ(thing.name, "t1");
        EXPECT_EQ(thing.thing_type, "sensor");
        EXPECT_EQ(thing.attributes, wanted.attributes);
        EXPECT_EQ(thing.billing_group, "billing");
        EXPECT_EQ(thing.version, 1);
    }
}

TEST_F(ThingsTest, RefusesAThingWithOtherProperties) {
    ASSERT_TRUE(make_type(type_named("sensor")));
    ASSERT_TRUE(make_thing({"t1", {}, {{"a", "1"}}, {}}));
    for (const NewThing& other : std::vector<NewThing>{{"t1", {}, {{"a", "2"}}, {}},
                                                       {"t1", {}, {}, {}},
                                                       {"t1", "sensor", {{"a", "1"}}, {}}}) {
        expect_error(make_thing(other),
                     Code::AlreadyExists,
                     "thing t1 exists already with other properties",
                     "",
                     "arn:aws:iot:us-east-1:123456789012:thing/t1");
    }
}

TEST_F(ThingsTest, RefusesWhatAThingMayNotBe) {
    ASSERT_TRUE(make_type(type_named("old")));
    ASSERT_TRUE(deprecate("old", true, kNow));
    ASSERT_TRUE(make_type(type_named("new")));
    Attributes fifty_one;
    for (int i = 0; i < 51; ++i)
        fifty_one["a" + std::to_string(i)] = "x";
    expect_error(make_thing({"t 1", {}, {}, {}}),
                 Code::InvalidRequest,
                 "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"t 1\"",
                 "thingName");
    expect_error(make_thing({"t1", {}, {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}, {}}),
                 Code::InvalidRequest,
                 "expected at most 3 attributes on a thing without a thing type, found 4",
                 "attributePayload");
    expect_error(make_thing({"t1", "new", fifty_one, {}}),
                 Code::InvalidRequest,
                 "expected at most 50 attributes on a thing with a thing type, found 51",
                 "attributePayload");
    expect_error(make_thing({"t1", "old", {}, {}}),
                 Code::InvalidRequest,
                 "thing type old is deprecated",
                 "thingTypeName");
    expect_error(
        make_thing({"t1", "none", {}, {}}), Code::NotFound, "thing type none does not exist");
    expect_error(
        make_thing({"t1", {}, {}, "none"}), Code::NotFound, "billing group none does not exist");
    fifty_one.erase("a0");
    EXPECT_TRUE(make_thing({"t1", "new", fifty_one, {}}));
}

TEST_F(ThingsTest, UpdatesAttributesAndType) {
    ASSERT_TRUE(make_type(type_named("sensor")));
    ASSERT_TRUE(make_thing({"t1", {}, {{"a", "1"}, {"b", "2"}}, {}}));
    ThingUpdate merge;
    merge.attributes = Attributes{{"b", ""}, {"c", "3"}};
    merge.merge_attributes = true;
    auto merged = update("t1", merge);
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->attributes, (Attributes{{"a", "1"}, {"c", "3"}}));
    EXPECT_EQ(merged->version, 2);

    ThingUpdate replace;
    replace.attributes = Attributes{{"x", "9"}, {"y", ""}};
    replace.thing_type = "sensor";
    replace.expected_version = 2;
    ASSERT_TRUE(update("t1", replace));
    auto found = read([](store::Reader& reader) { return find_thing(reader, "t1"); });
    EXPECT_EQ(found->attributes, (Attributes{{"x", "9"}}));
    EXPECT_EQ(found->thing_type, "sensor");
    EXPECT_EQ(found->version, 3);

    ThingUpdate remove;
    remove.remove_thing_type = true;
    auto removed = update("t1", remove);
    EXPECT_EQ(removed->thing_type, std::nullopt);
    EXPECT_EQ(removed->attributes, (Attributes{{"x", "9"}})) << "unset attributes stay";
    EXPECT_EQ(removed->version, 4);
}

TEST_F(ThingsTest, RefusesAWrongUpdate) {
    ASSERT_TRUE(make_type(type_named("sensor")));
    const Attributes four{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
    ASSERT_TRUE(make_thing({"t1", "sensor", four, {}}));
    ThingUpdate stale;
    stale.expected_version = 7;
    expect_error(update("t1", stale),
                 Code::VersionConflict,
                 "expected version 7, found 1",
                 "expectedVersion");
    ThingUpdate both;
    both.thing_type = "sensor";
    both.remove_thing_type = true;
    expect_error(update("t1", both),
                 Code::InvalidRequest,
                 "expected thingTypeName or removeThingType, found both",
                 "removeThingType");
    ThingUpdate untyped;
    untyped.remove_thing_type = true;
    expect_error(update("t1", untyped),
                 Code::InvalidRequest,
                 "expected at most 3 attributes on a thing without a thing type, found 4",
                 "attributePayload");
    ThingUpdate unknown;
    unknown.thing_type = "none";
    expect_error(update("t1", unknown), Code::NotFound, "thing type none does not exist");
    expect_error(update("t2", {}), Code::NotFound, "thing t2 does not exist");
    auto found = read([](store::Reader& reader) { return find_thing(reader, "t1"); });
    EXPECT_EQ(found->attributes, four);
    EXPECT_EQ(found->version, 1);
}

TEST_F(ThingsTest, DeletesAThingThatHasNoCertificate) {
    auto certificate = new_certificate("device");
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(make_group("g"));
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
        if (auto done = add_thing_to_group(tx, "t1", "g"); !done) return done;
        return attach_thing_principal(tx, "t1", certificate.id(), false);
    }));
    auto remove = [&](std::optional<std::int64_t> version) {
        return write([&](store::Tx& tx) { return delete_thing(tx, "t1", version); });
    };
    expect_error(remove({}), Code::InvalidRequest, "thing t1 still has a certificate attached");
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return detach_thing_principal(tx, "t1", certificate.id()); }));
    expect_error(
        remove(5), Code::VersionConflict, "expected version 5, found 1", "expectedVersion");
    EXPECT_TRUE(remove(1));
    EXPECT_TRUE(remove({})) << "a missing thing is a deleted thing";
    auto members = read(
        [](store::Reader& reader) { return things_in_group(reader, "g", false, PageRequest{}); });
    EXPECT_TRUE(members->items.empty());
}

TEST_F(ThingsTest, ListsByTypeAndAttribute) {
    ASSERT_TRUE(make_type(type_named("sensor")));
    ASSERT_TRUE(make_type(type_named("lamp")));
    ASSERT_TRUE(make_thing({"d", "sensor", {{"site", "paris-1"}}, {}}));
    ASSERT_TRUE(make_thing({"c", "sensor", {{"site", "paris-2"}, {"a.b@c", "x"}}, {}}));
    ASSERT_TRUE(make_thing({"b", "lamp", {{"site", "paris-1"}}, {}}));
    ASSERT_TRUE(make_thing({"a", {}, {{"other", "paris-1"}}, {}}));
    using Names = std::vector<std::string>;
    for (int limit : {1, 2, 250}) {
        EXPECT_EQ(names_of({}, limit), (Names{"a", "b", "c", "d"}));
        EXPECT_EQ(names_of({"sensor", {}, {}, false}, limit), (Names{"d", "c"}));
        EXPECT_EQ(names_of({{}, "site", "paris-1", false}, limit), (Names{"b", "d"}));
        EXPECT_EQ(names_of({{}, "site", "paris", true}, limit), (Names{"b", "c", "d"}));
        EXPECT_EQ(names_of({"sensor", "site", "paris-1", false}, limit), (Names{"d"}));
        EXPECT_EQ(names_of({{}, "a.b@c", {}, false}, limit), (Names{"c"}));
        EXPECT_EQ(names_of({{}, "site", "paris", false}, limit), Names{});
        EXPECT_EQ(names_of({"none", {}, {}, false}, limit), Names{});
    }
    auto bad = read([](store::Reader& reader) {
        return list_things(reader, {}, {{}, {}, "paris-1", false});
    });
    expect_error(bad, Code::InvalidRequest, "attributeValue needs attributeName", "attributeValue");
    bad = read([](store::Reader& reader) {
        return list_things(reader, {}, {{}, "a\") OR 1=1 --", {}, false});
    });
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().where, "attributePayload");
    bad = read([](store::Reader& reader) {
        return list_things(reader, {"x", 10}, {"sensor", {}, {}, false});
    });
    expect_error(bad, Code::InvalidRequest, "expected the position of an earlier page");
}

TEST_F(ThingsTest, PagesStayRightWhileThingsComeAndGo) {
    for (int i = 10; i < 30; ++i)
        ASSERT_TRUE(make_thing({"t" + std::to_string(i), {}, {}, {}}));
    std::vector<std::string> seen;
    PageRequest request{"", 5};
    for (int page_number = 0;; ++page_number) {
        auto page = read([&](store::Reader& reader) { return list_things(reader, request, {}); });
        ASSERT_TRUE(page);
        for (const Thing& thing : page->items)
            seen.push_back(thing.name);
        if (!page->next) break;
        request.after = *page->next;
        // Before the position, at it and behind it.
        ASSERT_TRUE(make_thing({"a" + std::to_string(page_number), {}, {}, {}}));
        ASSERT_TRUE(write([&](store::Tx& tx) { return delete_thing(tx, seen.back(), {}); }));
        ASSERT_TRUE(make_thing({"z" + std::to_string(page_number), {}, {}, {}}));
    }
    std::vector<std::string> expected;
    for (int i = 10; i < 30; ++i)
        expected.push_back("t" + std::to_string(i));
    ASSERT_GE(seen.size(), expected.size());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), seen.begin()));
    EXPECT_EQ(seen.size(), expected.size() + 4) << "each z once, no a";
}

TEST_F(ThingsTest, CreatesATypeOnce) {
    ThingType wanted = type_named("sensor");
    wanted.description = "measures";
    wanted.searchable_attributes = {"b", "a"};
    auto made = make_type(wanted);
    ASSERT_TRUE(made);
    auto again = make_type(wanted);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, made->id);
    EXPECT_EQ(again->description, "measures");
    EXPECT_EQ(again->searchable_attributes, wanted.searchable_attributes);
    EXPECT_EQ(again->created, kNow);
    EXPECT_EQ(again->deprecated, std::nullopt);
    wanted.description = "other";
    expect_error(make_type(wanted),
                 Code::AlreadyExists,
                 "thing type sensor exists already with other properties",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:thingtype/sensor");
    wanted.name = "many";
    wanted.searchable_attributes = {"a", "b", "c", "d"};
    expect_error(make_type(wanted),
                 Code::InvalidRequest,
                 "expected at most 3 searchable attributes, found 4",
                 "thingTypeProperties/searchableAttributes");
}

TEST_F(ThingsTest, DeletesATypeFiveMinutesAfterItsDeprecation) {
    using std::chrono::minutes;
    using std::chrono::seconds;
    ASSERT_TRUE(make_type(type_named("sensor")));
    auto remove = [&](Time now) {
        return write([&](store::Tx& tx) { return delete_thing_type(tx, "sensor", now); });
    };
    constexpr std::string_view kTooEarly =
        "thing type sensor must have been deprecated for 5 minutes before it can be deleted";
    expect_error(remove(kNow + minutes(60)), Code::InvalidRequest, kTooEarly);
    ASSERT_TRUE(make_thing({"t1", "sensor", {}, {}}));
    ASSERT_TRUE(deprecate("sensor", true, kNow));
    ASSERT_TRUE(deprecate("sensor", true, kNow + minutes(3))) << "the first date stays";
    expect_error(remove(kNow + seconds(299)), Code::InvalidRequest, kTooEarly);
    expect_error(
        remove(kNow + minutes(5)), Code::InvalidRequest, "thing type sensor still has things");
    ASSERT_TRUE(deprecate("sensor", false, kNow));
    expect_error(remove(kNow + minutes(60)), Code::InvalidRequest, kTooEarly);
    ASSERT_TRUE(deprecate("sensor", true, kNow));
    ASSERT_TRUE(write([](store::Tx& tx) { return delete_thing(tx, "t1", {}); }));
    EXPECT_TRUE(remove(kNow + minutes(5)));
    expect_error(remove(kNow), Code::NotFound, "thing type sensor does not exist");
    expect_error(
        deprecate("sensor", true, kNow), Code::NotFound, "thing type sensor does not exist");
}

TEST_F(ThingsTest, ListsTypesByName) {
    for (const char* name : {"c", "a", "b"})
        ASSERT_TRUE(make_type(type_named(name)));
    auto [types, pages] = all_pages(2, list_thing_types);
    ASSERT_EQ(types.size(), 3U);
    EXPECT_EQ(pages, 2);
    EXPECT_EQ(types[0].name, "a");
    EXPECT_EQ(types[2].name, "c");
}

}  // namespace
}  // namespace hatchery::registry
