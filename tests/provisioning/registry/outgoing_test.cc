// Registry events: what a change leaves in the outbox, and what it does not.
#include "provisioning/registry/outgoing.h"

#include "provisioning/registry/tags.h"
#include "tests/provisioning/registry/registry_fixture.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace hatchery::registry {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OutgoingTest : public RegistryTest {
  protected:
    void turn_on(const std::vector<std::string>& types) {
        std::map<std::string, bool> wanted;
        for (const auto& type : types)
            wanted.emplace(type, true);
        ASSERT_TRUE(
            write([&](store::Tx& tx) { return set_event_configurations(tx, wanted, kNow); }));
    }
    template <class F>
    void change(F&& work) {
        const auto done = write(std::forward<F>(work));
        ASSERT_TRUE(done) << to_string(done.error());
    }
    std::vector<OutgoingMessage> waiting() {
        auto messages =
            read([&](store::Reader& reader) { return outgoing_messages(reader, account_, 100); });
        EXPECT_TRUE(messages);
        return messages ? *messages : std::vector<OutgoingMessage>{};
    }
    /// What waits, without "$aws/events/"; then nothing does.
    std::vector<std::string> take_topics() {
        std::vector<std::string> topics;
        for (const auto& message : waiting()) {
            EXPECT_TRUE(message.topic.starts_with("$aws/events/"));
            topics.push_back(message.topic.substr(12));
            last_ = json::parse(message.payload);
            change([&](store::Tx& tx) { return forget_outgoing(tx, message.key); });
        }
        return topics;
    }

    json last_;  // the payload of the last message taken
};

TEST_F(OutgoingTest, IsEmptyWhileTheEventConfigurationIsOff) {
    ASSERT_TRUE(make_group("Dev"));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    change([](store::Tx& tx) { return add_thing_to_group(tx, "t1", "Dev"); });
    change([](store::Tx& tx) { return delete_thing(tx, "t1", {}); });
    EXPECT_THAT(waiting(), IsEmpty());
}

TEST_F(OutgoingTest, TellsWhatHappensToAThing) {
    turn_on({"THING"});
    const auto thing = make_thing({"t1", {}, {{"a", "1"}}, {}});
    ASSERT_TRUE(thing);
    EXPECT_THAT(take_topics(), ElementsAre("thing/t1/created"));
    EXPECT_GT(last_.at("timestamp").get<std::int64_t>(), 1'700'000'000'000);
    EXPECT_EQ(last_.at("eventId").get<std::string>().size(), 36U);
    last_.erase("timestamp");
    last_.erase("eventId");
    EXPECT_EQ(last_,
              json({{"eventType", "THING_EVENT"},
                    {"operation", "CREATED"},
                    {"accountId", "123456789012"},
                    {"thingId", thing->id},
                    {"thingName", "t1"},
                    {"versionNumber", 1},
                    {"thingTypeName", nullptr},
                    {"attributes", {{"a", "1"}}}}));
    change([](store::Tx& tx) -> Result<> {
        ThingUpdate update;
        update.attributes = Attributes{{"b", "2"}};
        auto updated = update_thing(tx, "t1", update);
        if (!updated) return std::move(updated).error();
        return {};
    });
    EXPECT_THAT(take_topics(), ElementsAre("thing/t1/updated"));
    EXPECT_EQ(last_.at("versionNumber"), 2);
    EXPECT_EQ(last_.at("attributes"), json({{"b", "2"}}));
    change([](store::Tx& tx) { return delete_thing(tx, "t1", {}); });
    EXPECT_THAT(take_topics(), ElementsAre("thing/t1/deleted"));
    EXPECT_EQ(last_.at("thingId"), thing->id);
}

TEST_F(OutgoingTest, TellsNothingOfAChangeThatIsRolledBack) {
    turn_on({"THING"});
    EXPECT_FALSE(write([&](store::Tx& tx) -> Result<> {
        auto made = create_thing(tx, account_, {"t1", {}, {}, {}}, kNow);
        if (!made) return std::move(made).error();
        return fail(Code::Conflict, "no");
    }));
    EXPECT_THAT(waiting(), IsEmpty());
}

TEST_F(OutgoingTest, TellsOfTypesAndTheirThings) {
    turn_on({"THING_TYPE", "THING_TYPE_ASSOCIATION"});
    ThingType type;
    type.name = "Sensor";
    type.searchable_attributes = {"serial"};
    change([&](store::Tx& tx) { return create_thing_type(tx, account_, type, kNow); });
    EXPECT_THAT(take_topics(), ElementsAre("thingType/Sensor/created"));
    EXPECT_EQ(last_.at("eventType"), "THING_TYPE_EVENT");
    EXPECT_EQ(last_.at("isDeprecated"), false);
    EXPECT_EQ(last_.at("deprecationDate"), nullptr);
    EXPECT_EQ(last_.at("searchableAttributes"), json({"serial"}));
    const auto thing = make_thing({"t1", "Sensor", {}, {}});
    ASSERT_TRUE(thing);
    EXPECT_THAT(take_topics(), ElementsAre("thingTypeAssociation/thing/t1/thingType/Sensor/added"));
    EXPECT_EQ(last_.at("eventType"), "THING_TYPE_ASSOCIATION_EVENT");
    EXPECT_EQ(last_.at("operation"), "ADDED");
    EXPECT_EQ(last_.at("thingId"), thing->id);
    change([](store::Tx& tx) -> Result<> {
        ThingUpdate update;
        update.remove_thing_type = true;
        auto updated = update_thing(tx, "t1", update);
        if (!updated) return std::move(updated).error();
        return {};
    });
    EXPECT_THAT(take_topics(),
                ElementsAre("thingTypeAssociation/thing/t1/thingType/Sensor/removed"));
    change([](store::Tx& tx) { return set_thing_type_deprecated(tx, "Sensor", true, kNow); });
    EXPECT_THAT(take_topics(), ElementsAre("thingType/Sensor/updated"));
    EXPECT_EQ(last_.at("isDeprecated"), true);
    change([](store::Tx& tx) {
        return delete_thing_type(tx, "Sensor", kNow + std::chrono::hours(1));
    });
    EXPECT_THAT(take_topics(), ElementsAre("thingType/Sensor/deleted"));
}

TEST_F(OutgoingTest, TellsOfGroupsTheirParentsAndMembers) {
    turn_on({"THING_GROUP", "THING_GROUP_HIERARCHY", "THING_GROUP_MEMBERSHIP"});
    const auto root = make_group("Root");
    ASSERT_TRUE(root);
    EXPECT_THAT(take_topics(), ElementsAre("thingGroup/Root/created"));
    EXPECT_EQ(last_.at("parentGroupName"), nullptr);
    EXPECT_EQ(last_.at("parentGroupId"), nullptr);
    EXPECT_EQ(last_.at("rootToParentThingGroups"), json::array());
    const auto middle = make_group("Middle", "Root");
    take_topics();
    const auto leaf = make_group("Leaf", "Middle");
    ASSERT_TRUE(leaf);
    EXPECT_THAT(take_topics(),
                ::testing::UnorderedElementsAre(
                    "thingGroup/Leaf/created",
                    "thingGroupHierarchy/thingGroup/Middle/childThingGroup/Leaf/added"));
    change([](store::Tx& tx) {
        ThingGroupUpdate update;
        update.description = "new";
        return update_thing_group(tx, "Leaf", update);
    });
    EXPECT_THAT(take_topics(), ElementsAre("thingGroup/Leaf/updated"));
    EXPECT_EQ(last_.at("versionNumber"), 2);
    EXPECT_EQ(last_.at("description"), "new");
    EXPECT_EQ(last_.at("parentGroupId"), middle->id);
    EXPECT_EQ(last_.at("rootToParentThingGroups"),
              json::array(
                  {{{"groupArn", account_.arn("thinggroup", "Root")}, {"groupId", root->id}},
                   {{"groupArn", account_.arn("thinggroup", "Middle")}, {"groupId", middle->id}}}));

    const auto thing = make_thing({"t1", {}, {}, {}});
    ASSERT_TRUE(thing);
    change([](store::Tx& tx) { return add_thing_to_group(tx, "t1", "Leaf"); });
    EXPECT_THAT(take_topics(), ElementsAre("thingGroupMembership/thingGroup/Leaf/thing/t1/added"));
    EXPECT_EQ(last_.at("groupArn"), account_.arn("thinggroup", "Leaf"));
    EXPECT_EQ(last_.at("thingArn"), account_.arn("thing", "t1"));
    EXPECT_EQ(last_.at("groupId"), leaf->id);
    EXPECT_EQ(last_.at("thingId"), thing->id);
    const auto membership = last_.at("membershipId");
    change([](store::Tx& tx) { return remove_thing_from_group(tx, "t1", "Leaf"); });
    EXPECT_THAT(take_topics(),
                ElementsAre("thingGroupMembership/thingGroup/Leaf/thing/t1/removed"));
    EXPECT_EQ(last_.at("membershipId"), membership);
    change([](store::Tx& tx) { return delete_thing_group(tx, "Leaf", {}); });
    EXPECT_THAT(take_topics(),
                ::testing::UnorderedElementsAre(
                    "thingGroup/Leaf/deleted",
                    "thingGroupHierarchy/thingGroup/Middle/childThingGroup/Leaf/removed"));
}

TEST_F(OutgoingTest, KeepsMessagesInOrderUntilTheyAreForgotten) {
    change([](store::Tx& tx) -> Result<> {
        if (auto left = leave_message(tx, "a", "1"); !left) return left;
        return leave_message(tx, "b", "2");
    });
    const auto messages = waiting();
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].topic + messages[0].payload, "a1");
    change([&](store::Tx& tx) { return forget_outgoing(tx, messages[0].key); });
    ASSERT_EQ(waiting().size(), 1U);
    EXPECT_EQ(waiting()[0].topic + waiting()[0].payload, "b2");
}

}  // namespace
}  // namespace hatchery::registry
