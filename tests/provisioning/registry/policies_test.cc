#include "provisioning/registry/policies.h"

#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class PoliciesTest : public RegistryTest {
  protected:
    Result<PolicyVersion> add_version(std::string_view document, bool set_default) {
        return write([&](store::Tx& tx) {
            return create_policy_version(
                tx, "p", document, set_default, kNow + std::chrono::seconds(1));
        });
    }
    Result<> remove_version(int version) {
        return write([&](store::Tx& tx) { return delete_policy_version(tx, "p", version); });
    }
    Result<> set_default(int version) {
        return write([&](store::Tx& tx) {
            return set_default_policy_version(tx, "p", version, kNow + std::chrono::seconds(2));
        });
    }
    Result<> remove(std::string_view name) {
        return write([&](store::Tx& tx) { return delete_policy(tx, name); });
    }
    Result<Policy> find(std::string_view name) {
        return read([&](store::Reader& reader) { return find_policy(reader, name); });
    }
};

std::vector<std::string> names(const Result<std::vector<Policy>>& policies) {
    std::vector<std::string> all;
    if (!policies) return {to_string(policies.error())};
    for (const Policy& policy : *policies)
        all.push_back(policy.name);
    return all;
}
using Names = std::vector<std::string>;

TEST_F(PoliciesTest, KeepsADocument) {
    auto made = make_policy("p", R"({"Version": "2012-10-17"})");
    ASSERT_TRUE(made) << to_string(made.error());
    auto found = find("p");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->document, R"({"Version": "2012-10-17"})");
    EXPECT_EQ(found->default_version, 1);
    EXPECT_EQ(found->created, kNow);
    EXPECT_EQ(found->modified, kNow);
    EXPECT_EQ(found->generation_id, made->generation_id);
    expect_error(make_policy("p", R"({"Version": "2012-10-17"})"),
                 Code::AlreadyExists,
                 "policy p exists already",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:policy/p");
    expect_error(make_policy("a:b"),
                 Code::InvalidRequest,
                 "expected 1 to 128 characters of [a-zA-Z0-9_+=,.@-], found \"a:b\"",
                 "policyName");
    expect_error(find("q"), Code::NotFound, "policy q does not exist");
}

TEST_F(PoliciesTest, NeverReusesAVersionNumber) {
    ASSERT_TRUE(make_policy("p", "one"));
    auto second = add_version("two", false);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->version, 2);
    EXPECT_FALSE(second->is_default);
    EXPECT_EQ(find("p")->document, "one");
    ASSERT_TRUE(remove_version(2));
    auto third = add_version("three", true);
    EXPECT_EQ(third->version, 3);
    EXPECT_TRUE(third->is_default);
    EXPECT_EQ(find("p")->document, "three");
    EXPECT_EQ(find("p")->default_version, 3);
    auto versions = read([](store::Reader& reader) { return policy_versions(reader, "p"); });
    ASSERT_EQ(versions->size(), 2U);
    EXPECT_EQ(versions->at(0).version, 1);
    EXPECT_EQ(versions->at(0).document, "one");
    EXPECT_FALSE(versions->at(0).is_default);
    EXPECT_TRUE(versions->at(1).is_default);
    EXPECT_EQ(versions->at(1).created, kNow + std::chrono::seconds(1));
    ASSERT_TRUE(set_default(1));
    EXPECT_EQ(find("p")->document, "one");
    EXPECT_EQ(find("p")->modified, kNow + std::chrono::seconds(2));
}

TEST_F(PoliciesTest, HasFiveVersionsAtMost) {
    ASSERT_TRUE(make_policy("p"));
    for (int i = 2; i <= 5; ++i)
        ASSERT_TRUE(add_version("{}", false));
    expect_error(
        add_version("{}", false), Code::VersionsLimitExceeded, "policy p has 5 versions already");
    ASSERT_TRUE(remove_version(4));
    EXPECT_EQ(add_version("{}", false)->version, 6);
}

TEST_F(PoliciesTest, DeletesVersionsAndPoliciesThatAreNotInUse) {
    auto certificate = new_certificate("device");
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(make_policy("p"));
    ASSERT_TRUE(add_version("{}", false));
    expect_error(
        remove_version(1), Code::DeleteConflict, "version 1 is the default version of policy p");
    expect_error(remove_version(9), Code::NotFound, "version 9 of policy p does not exist");
    expect_error(set_default(9), Code::NotFound, "version 9 of policy p does not exist");
    expect_error(remove("p"), Code::DeleteConflict, "policy p has versions beside the default one");
    ASSERT_TRUE(remove_version(2));
    ASSERT_TRUE(write(
        [&](store::Tx& tx) { return attach_policy_to_certificate(tx, "p", certificate.id()); }));
    expect_error(remove("p"), Code::DeleteConflict, "policy p is attached");
    ASSERT_TRUE(write(
        [&](store::Tx& tx) { return detach_policy_from_certificate(tx, "p", certificate.id()); }));
    EXPECT_TRUE(remove("p"));
    expect_error(remove("p"), Code::NotFound, "policy p does not exist");
    expect_error(add_version("{}", false), Code::NotFound, "policy p does not exist");
}

TEST_F(PoliciesTest, ListsInOrderOfCreation) {
    for (const char* name : {"c", "a", "b"})
        ASSERT_TRUE(make_policy(name));
    auto list = [&](bool ascending) {
        return names(all_pages(2, [&](store::Reader& reader, const PageRequest& page) {
                         return list_policies(reader, page, ascending);
                     }).first);
    };
    EXPECT_EQ(list(true), (Names{"c", "a", "b"}));
    EXPECT_EQ(list(false), (Names{"b", "a", "c"}));
}

TEST_F(PoliciesTest, AttachesToCertificates) {
    auto certificate = new_certificate("device");
    const CertificateId id = certificate.id();
    ASSERT_TRUE(store_certificate(certificate));
    for (int i = 0; i <= 10; ++i)
        ASSERT_TRUE(make_policy("p" + std::to_string(i)));
    auto attach = [&](std::string_view policy, const CertificateId& to) {
        return write([&](store::Tx& tx) { return attach_policy_to_certificate(tx, policy, to); });
    };
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(attach("p" + std::to_string(i), id));
    expect_error(
        attach("p10", id), Code::LimitExceeded, "10 policies are attached to the target already");
    EXPECT_TRUE(attach("p3", id)) << "idempotent";
    auto detach = [&](std::string_view policy) {
        return write([&](store::Tx& tx) { return detach_policy_from_certificate(tx, policy, id); });
    };
    for (int i = 2; i < 10; ++i)
        ASSERT_TRUE(detach("p" + std::to_string(i)));
    ASSERT_TRUE(detach("p9")) << "idempotent";
    EXPECT_EQ(names(read([&](store::Reader& r) { return policies_of_certificate(r, id); })),
              (Names{"p0", "p1"}));
    auto targets = read([](store::Reader& reader) { return targets_of_policy(reader, "p1"); });
    EXPECT_EQ(targets->certificates, std::vector<CertificateId>{id});
    const CertificateId unknown;
    expect_error(
        attach("p0", unknown), Code::NotFound, "certificate " + unknown.hex() + " does not exist");
    expect_error(attach("none", id), Code::NotFound, "policy none does not exist");
    expect_error(detach("none"), Code::NotFound, "policy none does not exist");
}

TEST_F(PoliciesTest, AreInheritedFromGroupsAbove) {
    ASSERT_TRUE(make_group("root"));
    ASSERT_TRUE(make_group("middle", "root"));
    ASSERT_TRUE(make_group("leaf", "middle"));
    ASSERT_TRUE(make_group("other"));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    for (const char* name : {"a", "b", "c"})
        ASSERT_TRUE(make_policy(name));
    ASSERT_TRUE(write([](store::Tx& tx) -> Result<> {
        for (auto [policy, group] : std::vector<std::pair<const char*, const char*>>{
                 {"a", "leaf"}, {"b", "root"}, {"a", "other"}, {"c", "other"}, {"c", "other"}}) {
            if (auto done = attach_policy_to_group(tx, policy, group); !done) return done;
        }
        if (auto done = add_thing_to_group(tx, "t1", "leaf"); !done) return done;
        return add_thing_to_group(tx, "t1", "other");
    }));
    auto of_group = [&](std::string_view group, bool inherited) {
        return names(
            read([&](store::Reader& r) { return policies_of_group(r, group, inherited); }));
    };
    EXPECT_EQ(of_group("leaf", false), Names{"a"});
    EXPECT_EQ(of_group("leaf", true), (Names{"a", "b"}));
    EXPECT_EQ(of_group("middle", false), Names{});
    EXPECT_EQ(of_group("middle", true), Names{"b"});
    EXPECT_EQ(names(read([](store::Reader& r) { return policies_of_things_groups(r, "t1"); })),
              (Names{"a", "b", "c"}));
    auto targets = read([](store::Reader& reader) { return targets_of_policy(reader, "a"); });
    EXPECT_EQ(targets->thing_groups, (Names{"leaf", "other"}));
    ASSERT_TRUE(write([](store::Tx& tx) { return detach_policy_from_group(tx, "a", "leaf"); }));
    ASSERT_TRUE(write([](store::Tx& tx) { return detach_policy_from_group(tx, "a", "leaf"); }));
    EXPECT_EQ(of_group("leaf", true), Names{"b"});
    expect_error(write([](store::Tx& tx) { return attach_policy_to_group(tx, "a", "unclaimed"); }),
                 Code::NotFound,
                 "thing group unclaimed does not exist");
}

TEST_F(PoliciesTest, MakeSessionsLookAgainWhenTheirIdentityMayDiffer) {
    auto active = new_certificate("active");
    auto pending = new_certificate("pending");
    ASSERT_TRUE(store_certificate(active));
    ASSERT_TRUE(store_certificate(pending, CertificateStatus::PendingActivation));
    ASSERT_TRUE(make_policy("p"));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(make_group("g"));
    auto status = [&](const CertificateId& id, CertificateStatus to) {
        return touches([&](store::Tx& tx) { return set_certificate_status(tx, id, to, kNow); });
    };
    auto attach = [&](const CertificateId& id) {
        return touches([&](store::Tx& tx) { return attach_policy_to_certificate(tx, "p", id); });
    };
    auto attach_thing = [&](const CertificateId& id) {
        return touches([&](store::Tx& tx) { return attach_thing_principal(tx, "t1", id, false); });
    };
    EXPECT_TRUE(attach(active.id()));
    EXPECT_FALSE(attach(active.id())) << "nothing changed";
    EXPECT_TRUE(attach_thing(active.id()));
    EXPECT_FALSE(attach_thing(active.id())) << "nothing changed";
    EXPECT_FALSE(attach(pending.id())) << "no session has it";
    EXPECT_FALSE(attach_thing(pending.id()));
    EXPECT_FALSE(status(pending.id(), CertificateStatus::Active));
    EXPECT_TRUE(status(active.id(), CertificateStatus::Inactive));
    EXPECT_TRUE(touches([](store::Tx& tx) { return add_thing_to_group(tx, "t1", "g"); }));
    EXPECT_TRUE(touches([](store::Tx& tx) { return attach_policy_to_group(tx, "p", "g"); }));
    EXPECT_TRUE(touches([](store::Tx& tx) { return update_thing(tx, "t1", {}); }));
    EXPECT_TRUE(
        touches([](store::Tx& tx) { return create_policy_version(tx, "p", "{}", true, kNow); }));
    EXPECT_FALSE(
        touches([](store::Tx& tx) { return create_policy_version(tx, "p", "{}", false, kNow); }));
    EXPECT_TRUE(
        touches([](store::Tx& tx) { return set_default_policy_version(tx, "p", 1, kNow); }));
    EXPECT_TRUE(touches([](store::Tx& tx) { return remove_thing_from_group(tx, "t1", "g"); }));
}

TEST_F(PoliciesTest, LetSessionsBeWhileAFleetIsProvisioned) {
    auto device = new_certificate("device");
    ASSERT_TRUE(make_policy("p"));
    ASSERT_TRUE(make_group("g"));
    EXPECT_FALSE(touches([&](store::Tx& tx) -> Result<> {
        const NewThing wanted{"t1", {}, {}, {}};
        auto added = add_certificate(
            tx, account_, device, CertificateStatus::Active, {}, CertificateMode::Default, kNow);
        if (!added) return std::move(added).error();
        auto thing = create_thing(tx, account_, wanted, kNow);
        if (!thing) return std::move(thing).error();
        if (auto done = add_thing_to_group(tx, "t1", "g"); !done) return done;
        if (auto done = attach_thing_principal(tx, "t1", device.id(), false); !done) return done;
        return attach_policy_to_certificate(tx, "p", device.id());
    }));
}

}  // namespace
}  // namespace hatchery::registry
