#include "provisioning/registry/templates.h"

#include "provisioning/registry/access.h"
#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class TemplatesTest : public RegistryTest {
  protected:
    Result<ProvisioningTemplate> make(const ProvisioningTemplate& wanted) {
        return write([&](store::Tx& tx) { return create_template(tx, account_, wanted, kNow); });
    }
    Result<ProvisioningTemplate> find(std::string_view name) {
        return read([&](store::Reader& reader) { return find_template(reader, name); });
    }
    Result<> update(const TemplateUpdate& change) {
        return write([&](store::Tx& tx) {
            return update_template(tx, "fleet", change, kNow + std::chrono::seconds(1));
        });
    }
    Result<TemplateVersion> add_version(std::string_view body, bool set_default) {
        return write([&](store::Tx& tx) {
            return create_template_version(tx, "fleet", body, set_default, kNow);
        });
    }
    Result<> remove_version(int version) {
        return write([&](store::Tx& tx) { return delete_template_version(tx, "fleet", version); });
    }
};

ProvisioningTemplate fleet() {
    ProvisioningTemplate wanted;
    wanted.name = "fleet";
    wanted.description = "of the factory";
    wanted.role_arn = "arn:aws:iam::123456789012:role/r";
    wanted.enabled = true;
    wanted.body = " {\n\t\"Resources\" : { } } ";
    wanted.hook_target_arn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
    wanted.hook_payload_version = "2020-04-01";
    return wanted;
}

TEST_F(TemplatesTest, KeepsABodyByteForByte) {
    const auto wanted = fleet();
    ASSERT_TRUE(make(wanted));
    auto found = find("fleet");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->body, wanted.body);
    EXPECT_EQ(found->description, wanted.description);
    EXPECT_EQ(found->role_arn, wanted.role_arn);
    EXPECT_TRUE(found->enabled);
    EXPECT_FALSE(found->is_jitp);
    EXPECT_EQ(found->default_version, 1);
    EXPECT_EQ(found->hook_target_arn, wanted.hook_target_arn);
    EXPECT_EQ(found->hook_payload_version, "2020-04-01");
    EXPECT_EQ(found->created, kNow);
    expect_error(make(wanted),
                 Code::AlreadyExists,
                 "provisioning template fleet exists already",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/fleet");
    auto jitp = wanted;
    jitp.name = "jitp";
    jitp.is_jitp = true;
    EXPECT_TRUE(make(jitp));
    EXPECT_TRUE(find("jitp")->is_jitp);
    EXPECT_EQ(find("jitp")->hook_target_arn, wanted.hook_target_arn);
    auto [templates, pages] = all_pages(1, list_templates);
    ASSERT_EQ(templates.size(), 2U);
    EXPECT_EQ(templates[0].name, "fleet");
    expect_error(find("none"), Code::NotFound, "provisioning template none does not exist");
}

TEST_F(TemplatesTest, UpdatesWhatIsGiven) {
    ASSERT_TRUE(make(fleet()));
    ASSERT_TRUE(add_version("two", false));
    TemplateUpdate change;
    change.enabled = false;
    change.default_version = 2;
    ASSERT_TRUE(update(change));
    auto found = find("fleet");
    EXPECT_FALSE(found->enabled);
    EXPECT_EQ(found->body, "two");
    EXPECT_EQ(found->description, "of the factory");
    EXPECT_TRUE(found->hook_target_arn);
    EXPECT_EQ(found->modified, kNow + std::chrono::seconds(1));
    TemplateUpdate other;
    other.description = "new";
    other.role_arn = "arn:new";
    other.remove_hook = true;
    ASSERT_TRUE(update(other));
    EXPECT_EQ(find("fleet")->description, "new");
    EXPECT_EQ(find("fleet")->role_arn, "arn:new");
    EXPECT_EQ(find("fleet")->hook_target_arn, std::nullopt);
    EXPECT_EQ(find("fleet")->hook_payload_version, std::nullopt);
    TemplateUpdate wrong;
    wrong.default_version = 9;
    expect_error(
        update(wrong), Code::NotFound, "version 9 of provisioning template fleet does not exist");
    wrong = {};
    wrong.remove_hook = true;
    wrong.hook_target_arn = "arn";
    expect_error(update(wrong),
                 Code::InvalidRequest,
                 "expected preProvisioningHook or removePreProvisioningHook, found both",
                 "removePreProvisioningHook");
}

TEST_F(TemplatesTest, HasFiveVersionsAtMostAndNeverReusesANumber) {
    ASSERT_TRUE(make(fleet()));
    for (int i = 2; i <= 5; ++i)
        EXPECT_EQ(add_version(std::to_string(i), i == 3)->version, i);
    expect_error(add_version("6", false),
                 Code::VersionsLimitExceeded,
                 "provisioning template fleet has 5 versions already");
    EXPECT_EQ(find("fleet")->body, "3");
    expect_error(remove_version(3),
                 Code::DeleteConflict,
                 "version 3 is the default version of provisioning template fleet");
    ASSERT_TRUE(remove_version(5));
    EXPECT_EQ(add_version("6", false)->version, 6);
    auto versions = read([](store::Reader& reader) { return template_versions(reader, "fleet"); });
    std::vector<int> numbers;
    for (const auto& version : *versions)
        numbers.push_back(version.version);
    EXPECT_EQ(numbers, (std::vector<int>{1, 2, 3, 4, 6}));
    auto one = read([](store::Reader& r) { return find_template_version(r, "fleet", 4); });
    EXPECT_EQ(one->body, "4");
    EXPECT_FALSE(one->is_default);
    auto remove = [&] { return write([](store::Tx& tx) { return delete_template(tx, "fleet"); }); };
    expect_error(remove(),
                 Code::DeleteConflict,
                 "provisioning template fleet has versions beside the default one");
    for (int version : {1, 2, 4, 6})
        ASSERT_TRUE(remove_version(version));
    EXPECT_TRUE(remove());
    expect_error(remove(), Code::NotFound, "provisioning template fleet does not exist");
    expect_error(
        add_version("x", false), Code::NotFound, "provisioning template fleet does not exist");
}

TEST_F(TemplatesTest, KeepsAccessKeys) {
    AccessKey key{"AKIAEXAMPLEEXAMPLE12", Bytes{1, 2, 3}, "admin", true, kNow};
    auto add = [&] { return write([&](store::Tx& tx) { return add_access_key(tx, key); }); };
    ASSERT_TRUE(add());
    ASSERT_FALSE(add());
    EXPECT_EQ(add().error().code, Code::AlreadyExists);
    auto set = [&](std::string_view id, bool enabled) {
        return write([&](store::Tx& tx) { return set_access_key_enabled(tx, id, enabled); });
    };
    ASSERT_TRUE(set(key.id, false));
    auto found = read([&](store::Reader& reader) { return find_access_key(reader, key.id); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->wrapped_secret, key.wrapped_secret);
    EXPECT_EQ(found->role, "admin");
    EXPECT_FALSE(found->enabled);
    EXPECT_EQ(found->created, kNow);
    EXPECT_EQ(read([](store::Reader& reader) { return access_keys(reader); })->size(), 1U);
    expect_error(set("none", true), Code::NotFound, "access key none does not exist");
    expect_error(read([](store::Reader& reader) { return find_access_key(reader, "none"); }),
                 Code::NotFound,
                 "access key none does not exist");
}

TEST_F(TemplatesTest, KeepsStations) {
    Station station;
    station.name = "line-1";
    station.profiles = {"device", "claim"};
    station.created = kNow;
    station.certificate.bytes[0] = 1;
    auto add = [&] { return write([&](store::Tx& tx) { return add_station(tx, station); }); };
    ASSERT_TRUE(add());
    expect_error(add(),
                 Code::AlreadyExists,
                 "a station named line-1 or with its certificate exists already");
    auto find = [&](const CertificateId& id) {
        return read([&](store::Reader& reader) { return find_station(reader, id); });
    };
    auto found = find(station.certificate);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->name, "line-1");
    EXPECT_EQ(found->profiles, station.profiles);
    EXPECT_TRUE(found->enabled);
    auto set = [&](std::string_view name, bool enabled) {
        return write([&](store::Tx& tx) { return set_station_enabled(tx, name, enabled); });
    };
    ASSERT_TRUE(set("line-1", false));
    auto all = read([](store::Reader& reader) { return stations(reader); });
    ASSERT_EQ(all->size(), 1U);
    EXPECT_FALSE(all->front().enabled);
    expect_error(set("none", true), Code::NotFound, "station none does not exist");
    const CertificateId unknown;
    expect_error(find(unknown),
                 Code::NotFound,
                 "station with certificate " + unknown.hex() + " does not exist");
}

}  // namespace
}  // namespace hatchery::registry
