// Tags, event configurations, certificate transfers, trusted claims, and updates of groups and
// types.
#include "provisioning/registry/tags.h"
#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class UpdatesTest : public RegistryTest {
  protected:
    CertificateId certificate(CertificateStatus status = CertificateStatus::Inactive) {
        auto stored = store_certificate(new_certificate("device"), status);
        EXPECT_TRUE(stored);
        return stored->id;
    }
    CertificateStatus status_of(const CertificateId& id) {
        auto found = read([&](store::Reader& reader) { return find_certificate(reader, id); });
        EXPECT_TRUE(found);
        return found->status;
    }
    std::vector<CertificateId> outgoing(bool ascending = true) {
        std::vector<CertificateId> ids;
        PageRequest request{"", 1};
        while (true) {
            auto page = read(
                [&](store::Reader& reader) { return list_outgoing(reader, request, ascending); });
            EXPECT_TRUE(page);
            for (const auto& one : page->items)
                ids.push_back(one.id);
            if (!page->next) return ids;
            request.after = *page->next;
        }
    }
    Result<> transfer(const CertificateId& id, std::string_view account) {
        return write(
            [&](store::Tx& tx) { return transfer_certificate(tx, id, account, "take it", kNow); });
    }
    Result<Tags> tags(const TaggedResource& resource) {
        return read([&](store::Reader& reader) { return tags_of(reader, resource); });
    }
};

TEST_F(UpdatesTest, ChangesAGroup) {
    ASSERT_TRUE(make_group("g"));
    ThingGroupUpdate update{"new", Attributes{{"a", "1"}, {"b", "2"}}, false, 1};
    const auto change = [&] {
        return write([&](store::Tx& tx) { return update_thing_group(tx, "g", update); });
    };
    auto version = change();
    ASSERT_TRUE(version);
    EXPECT_EQ(*version, 2);
    expect_error(change(), Code::VersionConflict, "expected version 1, found 2", "expectedVersion");
    update = {std::nullopt, Attributes{{"a", ""}, {"c", "3"}}, true, std::nullopt};
    EXPECT_EQ(*change(), 3);
    auto group = read([](store::Reader& reader) { return find_thing_group(reader, "g"); });
    ASSERT_TRUE(group);
    EXPECT_EQ(group->description, "new");
    EXPECT_EQ(group->attributes, (Attributes{{"b", "2"}, {"c", "3"}}));
    EXPECT_EQ(group->version, 3);
    expect_error(write([&](store::Tx& tx) { return update_thing_group(tx, "x", update); }),
                 Code::NotFound,
                 "thing group x does not exist");
}

TEST_F(UpdatesTest, ChangesABillingGroup) {
    BillingGroup wanted;
    wanted.name = "b";
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return create_billing_group(tx, account_, wanted, kNow); }));
    const auto change = [&](std::optional<std::int64_t> version) {
        return write([&](store::Tx& tx) { return update_billing_group(tx, "b", "new", version); });
    };
    EXPECT_EQ(*change(1), 2);
    expect_error(
        change(1), Code::VersionConflict, "expected version 1, found 2", "expectedVersion");
    auto group = read([](store::Reader& reader) { return find_billing_group(reader, "b"); });
    EXPECT_EQ(group->description, "new");
}

TEST_F(UpdatesTest, TransfersToThisAccountAndBack) {
    const auto id = certificate();
    ASSERT_TRUE(transfer(id, account_.id));
    EXPECT_EQ(status_of(id), CertificateStatus::PendingTransfer);
    EXPECT_EQ(outgoing(), std::vector{id});
    expect_error(write([&](store::Tx& tx) {
                     return set_certificate_status(tx, id, CertificateStatus::Active, kNow);
                 }),
                 Code::CertificateState,
                 "certificate " + id.hex() +
                     " is PENDING_TRANSFER, which only accepting or ending the transfer changes");
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return reject_transfer(tx, account_, id, "not mine", kNow); }));
    EXPECT_EQ(status_of(id), CertificateStatus::Inactive);
    EXPECT_TRUE(outgoing().empty());
    auto last = read([&](store::Reader& reader) { return find_transfer(reader, id); });
    ASSERT_TRUE(last && *last);
    EXPECT_EQ((*last)->message, "take it");
    EXPECT_EQ((*last)->reject_reason, "not mine");
    EXPECT_EQ((*last)->rejected, kNow);
    expect_error(
        write([&](store::Tx& tx) { return accept_transfer(tx, account_, id, true, kNow); }),
        Code::Conflict,
        "certificate " + id.hex() + " is not being transferred");
    ASSERT_TRUE(transfer(id, account_.id));
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return accept_transfer(tx, account_, id, true, kNow); }));
    EXPECT_EQ(status_of(id), CertificateStatus::Active);
    expect_error(transfer(id, account_.id),
                 Code::CertificateState,
                 "certificate " + id.hex() + " is ACTIVE, only an INACTIVE one can be transferred");
}

TEST_F(UpdatesTest, LeavesATransferToAnotherAccountToItsSender) {
    const auto first = certificate(), second = certificate();
    ASSERT_TRUE(transfer(first, "999999999999"));
    ASSERT_TRUE(transfer(second, "999999999999"));
    EXPECT_EQ(outgoing(), (std::vector{first, second}));
    EXPECT_EQ(outgoing(false), (std::vector{second, first}));
    expect_error(
        write([&](store::Tx& tx) { return accept_transfer(tx, account_, first, true, kNow); }),
        Code::NotFound,
        "no transfer of certificate " + first.hex() + " to account 123456789012");
    ASSERT_TRUE(write([&](store::Tx& tx) { return cancel_transfer(tx, first, kNow); }));
    EXPECT_EQ(status_of(first), CertificateStatus::Inactive);
    EXPECT_EQ(outgoing(), std::vector{second});
}

TEST_F(UpdatesTest, TransfersNothingThatIsAttached) {
    ASSERT_TRUE(make_policy("p"));
    const auto id = certificate();
    ASSERT_TRUE(write([&](store::Tx& tx) { return attach_policy_to_certificate(tx, "p", id); }));
    expect_error(transfer(id, "999999999999"),
                 Code::Conflict,
                 "certificate " + id.hex() + " still has policies or things attached");
}

TEST_F(UpdatesTest, TagsLiveAsLongAsTheirResource) {
    ASSERT_TRUE(make_group("g"));
    auto resource =
        parse_tagged_resource(account_, "arn:aws:iot:us-east-1:123456789012:thinggroup/g");
    ASSERT_TRUE(resource);
    const auto add = [&](const Tags& some) {
        return write([&](store::Tx& tx) { return add_tags(tx, *resource, some); });
    };
    ASSERT_TRUE(add({{"site", "north"}, {"line", "1"}}));
    ASSERT_TRUE(add({{"line", "2"}}));
    EXPECT_EQ(*tags(*resource), (Tags{{"site", "north"}, {"line", "2"}}));
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return remove_tags(tx, *resource, {"site", "never"});
    }));
    EXPECT_EQ(*tags(*resource), (Tags{{"line", "2"}}));
    Tags many;
    for (int i = 0; i < 50; ++i)
        many.emplace("k" + std::to_string(i), "");
    expect_error(add(many),
                 Code::LimitExceeded,
                 "expected at most 50 tags on thinggroup/g, found 51",
                 "tags");
    EXPECT_EQ(tags(*resource)->size(), 1U);
    expect_error(add({{"aws:x", ""}}),
                 Code::InvalidRequest,
                 "expected tag keys that do not begin with aws:",
                 "tags");
    ASSERT_TRUE(write([](store::Tx& tx) { return delete_thing_group(tx, "g", std::nullopt); }));
    expect_error(tags(*resource), Code::NotFound, "thing group g does not exist");
    ASSERT_TRUE(make_group("g"));
    EXPECT_TRUE(tags(*resource)->empty());
    expect_error(
        parse_tagged_resource(account_, "arn:aws:iot:us-east-1:123456789012:thing/t"),
        Code::InvalidRequest,
        "expected the ARN of a thing type, thing group, billing group, policy, CA certificate, "
        "provisioning template, scheduled audit or job of this account",
        "resourceArn");
}

TEST_F(UpdatesTest, KeepsEventConfigurations) {
    auto before = read([](store::Reader& reader) { return event_configurations(reader); });
    ASSERT_TRUE(before);
    EXPECT_EQ(before->enabled.size(), 11U);
    EXPECT_FALSE(before->enabled.at("THING"));
    EXPECT_FALSE(before->created);
    ASSERT_TRUE(write([](store::Tx& tx) {
        return set_event_configurations(tx, {{"THING", true}}, kNow);
    }));
    auto after = read([](store::Reader& reader) { return event_configurations(reader); });
    EXPECT_TRUE(after->enabled.at("THING"));
    EXPECT_FALSE(after->enabled.at("JOB"));
    EXPECT_EQ(after->created, kNow);
    expect_error(write([](store::Tx& tx) {
                     return set_event_configurations(tx, {{"THINGS", true}}, kNow);
                 }),
                 Code::InvalidRequest,
                 "unknown event type THINGS",
                 "eventConfigurations/THINGS");
}

TEST_F(UpdatesTest, ForgetsTrustedClaims) {
    ProvisioningTemplate wanted;
    wanted.name = "T";
    wanted.body = "{}";
    ASSERT_TRUE(write([&](store::Tx& tx) { return create_template(tx, account_, wanted, kNow); }));
    const auto id = new_certificate("claim").id();
    const auto expires = kNow + std::chrono::minutes(5);
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return add_provisioning_claim(tx, id, {"T", expires});
    }));
    const auto find = [&](Time now) {
        return read(
            [&](store::Reader& reader) { return find_provisioning_claim(reader, id, now); });
    };
    auto found = find(expires - std::chrono::seconds(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->template_name, "T");
    expect_error(
        find(expires), Code::NotFound, "provisioning claim " + id.hex() + " does not exist");
    EXPECT_EQ(*write([&](store::Tx& tx) { return delete_expired_claims(tx, expires); }), 1);
    EXPECT_FALSE(find(kNow));
}

}  // namespace
}  // namespace hatchery::registry
