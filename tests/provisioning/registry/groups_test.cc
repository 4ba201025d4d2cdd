#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

using Names = std::vector<std::string>;

class GroupsTest : public RegistryTest {
  protected:
    Result<BillingGroup> make_billing(std::string name, std::string description = "") {
        BillingGroup wanted;
        wanted.name = std::move(name);
        wanted.description = std::move(description);
        return write(
            [&](store::Tx& tx) { return create_billing_group(tx, account_, wanted, kNow); });
    }
    Result<> join(std::string_view thing, std::string_view group) {
        return write([&](store::Tx& tx) { return add_thing_to_group(tx, thing, group); });
    }
    Result<> leave(std::string_view thing, std::string_view group) {
        return write([&](store::Tx& tx) { return remove_thing_from_group(tx, thing, group); });
    }
    Result<> remove(std::string_view name, std::optional<std::int64_t> version = {}) {
        return write([&](store::Tx& tx) { return delete_thing_group(tx, name, version); });
    }
    Names members(std::string_view group, bool recursive, int limit = 250) {
        return all_pages(limit,
                         [&](store::Reader& reader, const PageRequest& page) {
                             return things_in_group(reader, group, recursive, page);
                         })
            .first;
    }
};

TEST_F(GroupsTest, CreatesAGroupOnce) {
    ASSERT_TRUE(make_group("root"));
    ThingGroup wanted;
    wanted.name = "child";
    wanted.parent = "root";
    wanted.description = "below";
    wanted.attributes = {{"a", "1"}};
    auto create = [&] {
        return write([&](store::Tx& tx) { return create_thing_group(tx, account_, wanted, kNow); });
    };
    auto made = create();
    ASSERT_TRUE(made) << to_string(made.error());
    EXPECT_EQ(made->parent, "root");
    EXPECT_EQ(made->ancestors, Names{"root"});
    EXPECT_EQ(made->attributes, wanted.attributes);
    EXPECT_EQ(made->version, 1);
    EXPECT_EQ(create()->id, made->id);
    wanted.parent.reset();
    expect_error(create(),
                 Code::AlreadyExists,
                 "thing group child exists already with other properties",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:thinggroup/child");
    expect_error(
        make_group("x", "unclaimed"), Code::NotFound, "thing group unclaimed does not exist");
    expect_error(make_group("a/b"),
                 Code::InvalidRequest,
                 "expected 1 to 128 characters of [a-zA-Z0-9:_-], found \"a/b\"",
                 "thingGroupName");
}

TEST_F(GroupsTest, IsSevenLevelsDeepAtMost) {
    ASSERT_TRUE(make_group("g1"));
    for (int level = 2; level <= 7; ++level)
        ASSERT_TRUE(make_group("g" + std::to_string(level), "g" + std::to_string(level - 1)));
    expect_error(make_group("g8", "g7"),
                 Code::LimitExceeded,
                 "thing group g8 would be deeper than 7 levels",
                 "parentGroupName");
    auto deepest = read([](store::Reader& reader) { return find_thing_group(reader, "g7"); });
    EXPECT_EQ(deepest->ancestors, (Names{"g1", "g2", "g3", "g4", "g5", "g6"}));
}

TEST_F(GroupsTest, DeletesAGroupWithoutChildren) {
    ASSERT_TRUE(make_group("root"));
    ASSERT_TRUE(make_group("child", "root"));
    ASSERT_TRUE(make_policy("p"));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(join("t1", "child"));
    ASSERT_TRUE(write([](store::Tx& tx) { return attach_policy_to_group(tx, "p", "child"); }));
    expect_error(remove("root"), Code::InvalidRequest, "thing group root still has child groups");
    expect_error(remove("child", 2),
                 Code::VersionConflict,
                 "expected version 2, found 1",
                 "expectedVersion");
    EXPECT_TRUE(remove("child", 1));
    EXPECT_TRUE(remove("child")) << "a missing group is a deleted group";
    EXPECT_TRUE(remove("root"));
    EXPECT_EQ(*read([](store::Reader& reader) { return groups_of_thing(reader, "t1"); }), Names{});
    EXPECT_TRUE(write([](store::Tx& tx) { return delete_policy(tx, "p"); }))
        << "the attachment went with the group";
}

TEST_F(GroupsTest, ListsGroups) {
    ASSERT_TRUE(make_group("b"));
    ASSERT_TRUE(make_group("a", "b"));
    ASSERT_TRUE(make_group("c", "b"));
    auto names = [&](std::optional<std::string> parent) {
        Names all;
        auto [groups, pages] = all_pages(1, [&](store::Reader& reader, const PageRequest& page) {
            return list_thing_groups(reader, page, parent);
        });
        for (const auto& group : groups)
            all.push_back(group.name);
        return all;
    };
    EXPECT_EQ(names({}), (Names{"a", "b", "c"}));
    EXPECT_EQ(names("b"), (Names{"a", "c"}));
    EXPECT_EQ(names("a"), Names{});
    auto missing = read(
        [](store::Reader& reader) { return list_thing_groups(reader, PageRequest{}, "none"); });
    expect_error(missing, Code::NotFound, "thing group none does not exist");
}

TEST_F(GroupsTest, KeepsMemberships) {
    ASSERT_TRUE(make_group("root"));
    ASSERT_TRUE(make_group("child", "root"));
    for (const char* name : {"t3", "t1", "t2"})
        ASSERT_TRUE(make_thing({name, {}, {}, {}}));
    ASSERT_TRUE(join("t1", "child"));
    ASSERT_TRUE(join("t1", "child")) << "idempotent";
    ASSERT_TRUE(join("t1", "root"));
    ASSERT_TRUE(join("t2", "root"));
    ASSERT_TRUE(join("t3", "child"));
    for (int limit : {1, 250}) {
        EXPECT_EQ(members("root", false, limit), (Names{"t1", "t2"}));
        EXPECT_EQ(members("child", false, limit), (Names{"t3", "t1"})) << "in order of creation";
        EXPECT_EQ(members("root", true, limit), (Names{"t3", "t1", "t2"})) << "none twice";
    }
    EXPECT_EQ(*read([](store::Reader& reader) { return groups_of_thing(reader, "t1"); }),
              (Names{"child", "root"}));
    ASSERT_TRUE(leave("t1", "root"));
    ASSERT_TRUE(leave("t1", "root")) << "idempotent";
    EXPECT_EQ(members("root", false), Names{"t2"});
    expect_error(join("t1", "unclaimed"), Code::NotFound, "thing group unclaimed does not exist");
    expect_error(join("t9", "root"), Code::NotFound, "thing t9 does not exist");
    expect_error(leave("t9", "root"), Code::NotFound, "thing t9 does not exist");
    expect_error(leave("t1", "none"), Code::NotFound, "thing group none does not exist");
}

TEST_F(GroupsTest, HoldsAThingInTenGroupsAtMost) {
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    for (int i = 0; i <= 10; ++i)
        ASSERT_TRUE(make_group("g" + std::to_string(i)));
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(join("t1", "g" + std::to_string(i)));
    expect_error(join("t1", "g10"), Code::LimitExceeded, "thing t1 is in 10 thing groups already");
    EXPECT_TRUE(join("t1", "g3")) << "it is there already";
}

TEST_F(GroupsTest, KeepsBillingGroups) {
    auto made = make_billing("b1", "first");
    ASSERT_TRUE(made);
    EXPECT_EQ(make_billing("b1", "first")->id, made->id);
    expect_error(make_billing("b1", "second"),
                 Code::AlreadyExists,
                 "billing group b1 exists already with other properties",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:billinggroup/b1");
    ASSERT_TRUE(make_billing("b0"));
    auto [groups, pages] = all_pages(1, list_billing_groups);
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].name, "b0");
    EXPECT_EQ(groups[1].description, "first");

    ASSERT_TRUE(make_thing({"t1", {}, {}, "b1"}));
    ASSERT_TRUE(make_thing({"t2", {}, {}, {}}));
    auto assign = [&](std::string_view thing, std::optional<std::string> group) {
        return write([&](store::Tx& tx) { return set_billing_group(tx, thing, group); });
    };
    auto things = [&] {
        return all_pages(1,
                         [](store::Reader& reader, const PageRequest& page) {
                             return things_in_billing_group(reader, "b1", page);
                         })
            .first;
    };
    ASSERT_TRUE(assign("t2", "b1"));
    EXPECT_EQ(things(), (Names{"t1", "t2"}));
    ASSERT_TRUE(assign("t1", std::nullopt));
    EXPECT_EQ(things(), (Names{"t2"}));
    expect_error(assign("t1", "none"), Code::NotFound, "billing group none does not exist");
    expect_error(assign("t9", "b1"), Code::NotFound, "thing t9 does not exist");

    auto remove = [&](std::optional<std::int64_t> version) {
        return write([&](store::Tx& tx) { return delete_billing_group(tx, "b1", version); });
    };
    expect_error(
        remove(3), Code::VersionConflict, "expected version 3, found 1", "expectedVersion");
    EXPECT_TRUE(remove({}));
    EXPECT_TRUE(remove({}));
    auto thing = read([](store::Reader& reader) { return find_thing(reader, "t2"); });
    EXPECT_EQ(thing->billing_group, std::nullopt);
}

TEST_F(GroupsTest, AttachesCertificatesToThings) {
    auto certificate = new_certificate("device");
    auto other = new_certificate("other");
    const CertificateId id = certificate.id();
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(store_certificate(other));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(make_thing({"t2", {}, {}, {}}));
    auto attach = [&](std::string_view thing, const CertificateId& which, bool exclusive) {
        return write(
            [&](store::Tx& tx) { return attach_thing_principal(tx, thing, which, exclusive); });
    };
    auto detach = [&](std::string_view thing) {
        return write([&](store::Tx& tx) { return detach_thing_principal(tx, thing, id); });
    };
    ASSERT_TRUE(attach("t1", id, false));
    ASSERT_TRUE(attach("t1", id, false)) << "idempotent";
    ASSERT_TRUE(attach("t2", id, false));
    ASSERT_TRUE(attach("t1", other.id(), false));
    expect_error(attach("t1", id, true),
                 Code::Conflict,
                 "certificate " + id.hex() + " is attached to thing t2");
    ASSERT_TRUE(detach("t2"));
    ASSERT_TRUE(detach("t2")) << "idempotent";
    ASSERT_TRUE(attach("t1", id, true));
    expect_error(attach("t2", id, false),
                 Code::Conflict,
                 "certificate " + id.hex() + " is attached exclusively to thing t1");
    auto things = read([&](store::Reader& reader) { return things_of_principal(reader, id); });
    ASSERT_EQ(things->size(), 1U);
    EXPECT_EQ(things->front().name, "t1");
    EXPECT_TRUE(things->front().exclusive);
    auto principals = read([](store::Reader& reader) { return principals_of_thing(reader, "t1"); });
    EXPECT_EQ(*principals, (std::vector<CertificateId>{id, other.id()}));
    const CertificateId unknown;
    expect_error(attach("t1", unknown, false),
                 Code::NotFound,
                 "certificate " + unknown.hex() + " does not exist");
    expect_error(attach("t9", id, false), Code::NotFound, "thing t9 does not exist");
    expect_error(detach("t9"), Code::NotFound, "thing t9 does not exist");
}

}  // namespace
}  // namespace hatchery::registry
