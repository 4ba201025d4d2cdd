// The schema of older versions, with what it held, opened by this one.
#include "tests/provisioning/registry/registry_fixture.h"

#include <gmock/gmock.h>

namespace hatchery::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(store::Store& store, std::string_view sql) {
    return store
        .read([&](store::Reader& reader) -> Result<std::vector<std::string>> {
            return column(reader, sql);
        })
        .value();
}

Result<> run_all(store::Store& store, std::initializer_list<std::string_view> statements) {
    return store.write([&](store::Tx& tx) -> Result<> {
        for (const std::string_view sql : statements) {
            if (auto done = tx.query(sql).run(); !done) return done;
        }
        return {};
    });
}

/// A registry as version 12 left it: one device, whole.
void make_version_12(const std::filesystem::path& file) {
    auto old = store::Store::open(file, migrations().first(12), {});
    ASSERT_TRUE(old) << to_string(old.error());
    auto filled = run_all(
        **old,
        {"INSERT INTO thing_types(name, uuid, description, created) VALUES('type', x'01', '', 1)",
         "INSERT INTO thing_groups(name, uuid, description, version, created) "
         "VALUES('group', x'02', '', 1, 1)",
         "INSERT INTO policies(name, default_version, last_version, created, modified, "
         "generation_id) VALUES('policy', 1, 1, 1, 1, x'03')",
         "INSERT INTO certificates(id, der, status, mode, created, modified, not_before, "
         "not_after, customer_version, generation_id) "
         "VALUES(zeroblob(32), x'30', 0, 0, 1, 1, 1, 2, 1, x'04')",
         "INSERT INTO things(name, uuid, type, version) VALUES('thing', x'05', 1, 1)",
         "INSERT INTO thing_group_members(thing_group, thing) VALUES(1, 1)",
         "INSERT INTO thing_principals(certificate, thing, exclusive) VALUES(1, 1, 0)",
         "INSERT INTO certificate_policies(certificate, policy) VALUES(1, 1)"});
    ASSERT_TRUE(filled) << to_string(filled.error());
}

class SchemaTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto file = directory_ / "registry.db";
        make_version_12(file);
        auto opened = open(file);
        ASSERT_TRUE(opened) << to_string(opened.error());
        store_ = std::move(*opened);
    }
    testing::TempDirectory directory_;
    std::unique_ptr<store::Store> store_;
};

TEST_F(SchemaTest, Version13KeepsWhatIsAttachedAndForgetsItsForeignKeys) {
    EXPECT_THAT(texts(*store_, "PRAGMA integrity_check"), ElementsAre("ok"));
    EXPECT_THAT(texts(*store_,
                      "SELECT t.name || y.name || g.name || p.name FROM things t "
                      "JOIN thing_types y ON y.key = t.type "
                      "JOIN thing_group_members m ON m.thing = t.key "
                      "JOIN thing_groups g ON g.key = m.thing_group "
                      "JOIN thing_principals c ON c.thing = t.key "
                      "JOIN certificate_policies a ON a.certificate = c.certificate "
                      "JOIN policies p ON p.key = a.policy"),
                ElementsAre("thingtypegrouppolicy"));
    for (const char* table :
         {"certificates", "thing_group_members", "thing_principals", "certificate_policies"}) {
        const std::string sql =
            std::string("SELECT \"table\" FROM pragma_foreign_key_list('") + table + "')";
        EXPECT_THAT(texts(*store_, sql), IsEmpty()) << table;
    }
    EXPECT_THAT(texts(*store_, "SELECT \"table\" FROM pragma_foreign_key_list('things')"),
                ElementsAre("billing_groups"));
}

TEST_F(SchemaTest, KeepsWhatIsAttachedFromBeingDeleted) {
    for (const auto& [sql, message] : std::initializer_list<std::pair<const char*, const char*>>{
             {"DELETE FROM things", "database: the thing has certificates"},
             {"DELETE FROM thing_types", "database: the thing type has things"},
             {"DELETE FROM certificates", "database: the certificate has things or policies"},
             {"DELETE FROM policies", "database: the policy has certificates"}}) {
        expect_error(run_all(*store_, {sql}), Code::Conflict, message);
    }
}

TEST_F(SchemaTest, MembershipsGoWithTheirThingAndWithTheirGroup) {
    const char* const again = "INSERT INTO thing_group_members(thing_group, thing) VALUES(1, 1)";
    const char* const members = "SELECT thing FROM thing_group_members";
    ASSERT_TRUE(run_all(*store_, {"DELETE FROM thing_groups"}));
    EXPECT_THAT(texts(*store_, members), IsEmpty());
    ASSERT_TRUE(run_all(
        *store_, {again, "DELETE FROM thing_principals", "DELETE FROM things WHERE key = 1"}));
    EXPECT_THAT(texts(*store_, members), IsEmpty());
}

TEST(Schema, Version14CountsTheExecutionsThatAreThere) {
    const testing::TempDirectory directory;
    const auto file = directory / "registry.db";
    {
        auto old = store::Store::open(file, migrations().first(13), {});
        ASSERT_TRUE(old) << to_string(old.error());
        const auto filled = run_all(
            **old,
            {"INSERT INTO things(name, uuid, version) VALUES('a', x'01', 1), ('b', x'02', 1)",
             "INSERT INTO jobs(id, status, is_continuous, is_rotation, document, settings, "
             "targets, created, updated) VALUES('j', 0, 0, 0, '{}', '{}', '[]', 1, 1)",
             "INSERT INTO job_executions(job, thing, number, status, version, queued, updated, "
             "is_direct, is_superseded) VALUES(1, 1, 1, 3, 2, 1, 1, 1, 1), "
             "(1, 1, 2, 0, 1, 1, 1, 1, 0), (1, 2, 1, 0, 1, 1, 1, 1, 0)"});
        ASSERT_TRUE(filled) << to_string(filled.error());
    }
    auto opened = open(file);
    ASSERT_TRUE(opened) << to_string(opened.error());
    const char* const counts = "SELECT status || ' ' || executions FROM job_counts";
    EXPECT_THAT(texts(**opened, counts), ElementsAre("0 2"));
    ASSERT_TRUE(run_all(**opened, {"DELETE FROM things", "DELETE FROM jobs"}));
    EXPECT_THAT(texts(**opened, counts), IsEmpty());
}

}  // namespace
}  // namespace hatchery::registry
