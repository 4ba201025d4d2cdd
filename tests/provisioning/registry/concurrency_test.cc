// Sixteen clients make, attach, list and delete at once; what the registry promises about itself
// holds afterwards, and after a kill -9 in the middle too.
#include "provisioning/registry/search.h"
#include "provisioning/registry/tags.h"
#include "tests/provisioning/registry/registry_fixture.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <set>
#include <thread>

namespace hatchery::registry {
namespace {

constexpr int kClients = 16;
constexpr int kSharedNames = 12;  // few, so that clients meet

std::vector<ca::Certificate> some_certificates() {
    std::vector<ca::Certificate> made;
    for (int i = 0; i < kSharedNames; ++i)
        made.push_back(new_certificate("device " + std::to_string(i)));
    return made;
}

/// One client: random operations on the shared names. What it is told must be a success or an error
/// that the operation promises.
class Client {
  public:
    Client(store::Store& store, const std::vector<ca::Certificate>& certificates, unsigned seed)
        : store_(store), certificates_(certificates), random_(seed) {}

    /// Whether the operation was done.
    bool step() {
        const std::string thing = name("t"), group = name("g"), policy = name("p");
        const auto& certificate = certificates_[static_cast<std::size_t>(number(kSharedNames))];
        const auto id = certificate.id();
        switch (number(14)) {
            case 0:
            case 1:
                return did(store_.write([&](store::Tx& tx) {
                    NewThing wanted{thing, "Type", {{"batch", name("B")}}, std::nullopt};
                    return create_thing(tx, account_, wanted, kNow);
                }));
            case 2:
                return did(store_.write([&](store::Tx& tx) {
                    ThingUpdate update;
                    update.attributes = Attributes{{"batch", number(3) == 0 ? "" : name("B")}};
                    update.merge_attributes = true;
                    return update_thing(tx, thing, update);
                }));
            case 3:
                return did(
                    store_.write([&](store::Tx& tx) { return delete_thing(tx, thing, {}); }));
            case 4:
                return did(store_.write([&](store::Tx& tx) {
                    return add_certificate(tx,
                                           account_,
                                           certificate,
                                           CertificateStatus::Inactive,
                                           std::nullopt,
                                           CertificateMode::Default,
                                           kNow);
                }));
            case 5:
                return did(
                    store_.write([&](store::Tx& tx) { return delete_certificate(tx, id, true); }));
            case 6:
                return did(store_.write(
                    [&](store::Tx& tx) { return attach_thing_principal(tx, thing, id, false); }));
            case 7:
                return did(store_.write(
                    [&](store::Tx& tx) { return detach_thing_principal(tx, thing, id); }));
            case 8:
                return did(store_.write([&](store::Tx& tx) {
                    return create_policy(tx, account_, policy, "{}", kNow);
                }));
            case 9:
                return did(store_.write([&](store::Tx& tx) { return delete_policy(tx, policy); }));
            case 10:
                return did(store_.write(
                    [&](store::Tx& tx) { return attach_policy_to_certificate(tx, policy, id); }));
            case 11:
                return did(store_.write([&](store::Tx& tx) -> Result<> {
                    ThingGroup wanted;
                    wanted.name = group;
                    auto made = create_thing_group(tx, account_, wanted, kNow);
                    if (!made) return std::move(made).error();
                    if (auto tagged = add_tags(tx, {"thinggroup", group}, {{"k", "v"}}); !tagged)
                        return tagged;
                    if (auto done = attach_policy_to_group(tx, policy, group); !done) return done;
                    return add_thing_to_group(tx, thing, group);
                }));
            case 12:
                return did(
                    store_.write([&](store::Tx& tx) { return delete_thing_group(tx, group, {}); }));
            default:
                return list();
        }
    }

  private:
    int number(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
    std::string name(const char* prefix) { return prefix + std::to_string(number(kSharedNames)); }

    template <class T>
    bool did(const Result<T>& result) {
        static const std::set<Code> kExpected{Code::NotFound,
                                              Code::AlreadyExists,
                                              Code::InvalidRequest,
                                              Code::DeleteConflict,
                                              Code::LimitExceeded};
        if (result) return true;
        EXPECT_TRUE(kExpected.contains(result.error().code)) << to_string(result.error());
        return false;
    }

    /// A list while others write: in order, no name twice, whatever comes and goes.
    bool list() {
        PageRequest request{"", 3};
        std::string last;
        while (true) {
            auto page = store_.read(
                [&](store::Reader& reader) { return list_things(reader, request, {}); });
            EXPECT_TRUE(page);
            if (!page) return false;
            for (const auto& thing : page->items) {
                EXPECT_LT(last, thing.name);
                last = thing.name;
            }
            if (!page->next) return true;
            request.after = *page->next;
        }
    }

    store::Store& store_;
    const std::vector<ca::Certificate>& certificates_;
    std::mt19937 random_;
    Account account_;
};

void make_type(store::Store& store) {
    ThingType type;
    type.name = "Type";
    type.searchable_attributes = {"batch"};
    auto made =
        store.write([&](store::Tx& tx) { return create_thing_type(tx, Account{}, type, kNow); });
    EXPECT_TRUE(made);
}

/// What refers to what without a foreign key (schema.cc).
struct Reference {
    std::string table, column, to;
};
const Reference kReferences[]{{"things", "type", "thing_types"},
                              {"certificates", "ca", "authorities"},
                              {"thing_group_members", "thing_group", "thing_groups"},
                              {"thing_group_members", "thing", "things"},
                              {"thing_principals", "certificate", "certificates"},
                              {"thing_principals", "thing", "things"},
                              {"certificate_policies", "certificate", "certificates"},
                              {"certificate_policies", "policy", "policies"},
                              {"attribute_values", "thing", "things"}};

/// What must hold of any registry, whatever was done to it.
void expect_sound(store::Store& store) {
    auto looked = store.read([](store::Reader& reader) -> Result<> {
        EXPECT_THAT(column(reader, "PRAGMA integrity_check"), ::testing::ElementsAre("ok"));
        EXPECT_THAT(column(reader, "PRAGMA foreign_key_check"), ::testing::IsEmpty());
        for (const Reference& from : kReferences) {
            const std::string dangling = "SELECT " + from.column + " FROM " + from.table +
                                         " WHERE " + from.column + " IS NOT NULL AND " +
                                         from.column + " NOT IN (SELECT key FROM " + from.to + ")";
            EXPECT_THAT(column(reader, dangling), ::testing::IsEmpty()) << dangling;
        }
        // The search index says what the things say.
        const std::string said =
            "SELECT t.name || lower(json_extract(t.attributes, '$.batch')) FROM things t "
            "WHERE json_extract(t.attributes, '$.batch') IS NOT NULL ORDER BY 1";
        EXPECT_EQ(column(reader,
                         "SELECT t.name || v.value FROM attribute_values v "
                         "LEFT JOIN things t ON t.key = v.thing ORDER BY 1"),
                  column(reader, said));
        EXPECT_THAT(column(reader,
                           "SELECT resource FROM tags WHERE substr(resource, 12) NOT IN "
                           "(SELECT name FROM thing_groups)"),
                    ::testing::IsEmpty());
        // Every reverse look-up agrees with its other direction.
        std::set<std::string> forth, back;
        for (const auto& thing : column(reader, "SELECT name FROM things")) {
            auto principals = principals_of_thing(reader, thing);
            EXPECT_TRUE(principals);
            for (const auto& id : *principals)
                forth.insert(thing + " " + id.hex());
            auto groups = groups_of_thing(reader, thing);
            EXPECT_TRUE(groups);
            for (const auto& group : *groups)
                forth.insert(group + " " + thing);
        }
        for (const auto& group : column(reader, "SELECT name FROM thing_groups")) {
            auto things = things_in_group(reader, group, false, {});
            EXPECT_TRUE(things);
            for (const auto& thing : things->items)
                back.insert(group + " " + thing);
        }
        auto certificates = list_certificates(reader, {}, true, std::nullopt);
        EXPECT_TRUE(certificates);
        for (const auto& certificate : certificates->items) {
            auto things = things_of_principal(reader, certificate.id);
            EXPECT_TRUE(things);
            for (const auto& thing : *things)
                back.insert(thing.name + " " + certificate.id.hex());
            auto policies = policies_of_certificate(reader, certificate.id);
            EXPECT_TRUE(policies);
            for (const auto& policy : *policies)
                forth.insert(policy.name + " " + certificate.id.hex());
        }
        for (const auto& policy : column(reader, "SELECT name FROM policies")) {
            auto targets = targets_of_policy(reader, policy);
            EXPECT_TRUE(targets);
            for (const auto& id : targets->certificates)
                back.insert(policy + " " + id.hex());
        }
        EXPECT_EQ(forth, back);
        return {};
    });
    EXPECT_TRUE(looked);
}

TEST(Concurrency, SixteenClientsLeaveASoundRegistry) {
    hatchery::testing::TempDirectory directory;
    auto opened = open(directory / "registry.db");
    ASSERT_TRUE(opened);
    auto& store = **opened;
    make_type(store);
    const auto certificates = some_certificates();
    std::atomic<int> done{0};
    std::vector<std::thread> clients;
    for (unsigned seed = 0; seed < kClients; ++seed) {
        clients.emplace_back([&, seed] {
            Client client(store, certificates, seed);
            for (int i = 0; i < 150; ++i)
                done += client.step() ? 1 : 0;
        });
    }
    for (auto& client : clients)
        client.join();
    EXPECT_GT(done, kClients * 150 / 4) << "too few operations were possible to prove anything";
    expect_sound(store);
}

/// In the child: clients until killed; a line into `acknowledged` for each thing that was stored.
[[noreturn]] void work_until_killed(const std::filesystem::path& file,
                                    const std::vector<ca::Certificate>& certificates,
                                    int acknowledged) {
    auto opened = open(file);
    if (!opened) _exit(1);
    auto& store = **opened;
    std::vector<std::thread> clients;
    for (unsigned seed = 0; seed < kClients; ++seed) {
        clients.emplace_back([&, seed] {
            Client client(store, certificates, seed);
            for (int i = 0;; ++i) {
                client.step();
                const std::string name =
                    "kept-" + std::to_string(seed) + "-" + std::to_string(i) + "\n";
                NewThing wanted{name.substr(0, name.size() - 1), "Type", {}, std::nullopt};
                auto made = store.write(
                    [&](store::Tx& tx) { return create_thing(tx, Account{}, wanted, kNow); });
                if (!made || ::write(acknowledged, name.data(), name.size()) < 0) _exit(1);
            }
        });
    }
    for (auto& client : clients)
        client.join();
    _exit(0);
}

TEST(Concurrency, AKillLeavesASoundRegistryWithAllThatWasAcknowledged) {
    hatchery::testing::TempDirectory directory;
    const auto file = directory / "registry.db";
    {
        auto opened = open(file);
        ASSERT_TRUE(opened);
        make_type(**opened);
    }
    const auto certificates = some_certificates();
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(ends[0]);
        work_until_killed(file, certificates, ends[1]);
    }
    ::close(ends[1]);
    std::string text;
    char buffer[4096];
    while (std::count(text.begin(), text.end(), '\n') < 400) {
        const auto got = ::read(ends[0], buffer, sizeof buffer);
        ASSERT_GT(got, 0) << "the child ended by itself";
        text.append(buffer, static_cast<std::size_t>(got));
    }
    ::kill(child, SIGKILL);
    for (ssize_t got = 1; got > 0;) {
        got = ::read(ends[0], buffer, sizeof buffer);
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    auto opened = open(file);
    ASSERT_TRUE(opened) << to_string(opened.error());
    expect_sound(**opened);
    std::size_t from = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
        const std::string name = text.substr(from, end - from);
        from = end + 1;
        auto found =
            (*opened)->read([&](store::Reader& reader) { return find_thing(reader, name); });
        ASSERT_TRUE(found) << name << " was acknowledged and is gone";
    }
}

}  // namespace
}  // namespace hatchery::registry
