#include "provisioning/registry/allow_list.h"

#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class AllowListTest : public RegistryTest {
  protected:
    void add(std::vector<AllowedSerial> entries, OnExisting on_existing = OnExisting::Skip) {
        const auto added =
            write([&](store::Tx& tx) { return add_serials(tx, "factory", entries, on_existing); });
        ASSERT_TRUE(added) << to_string(added.error());
    }
    void add_covering(const AllowedPattern& pattern) {
        const auto added =
            write([&](store::Tx& tx) { return add_pattern(tx, "factory", pattern); });
        ASSERT_TRUE(added) << to_string(added.error());
    }
    static SerialUse use_of(const std::string& serial, std::uint8_t device = 1) {
        SerialUse use{"factory", serial, "t", {}, {}, kNow};
        use.certificate.bytes.fill(device);
        return use;
    }
    /// "" or why not.
    std::string use(const SerialUse& wanted) {
        const auto used = write([&](store::Tx& tx) { return use_serial(tx, wanted); });
        return used ? "" : used.error().message;
    }
    std::string look(const SerialUse& wanted) {
        const auto looked = read([&](store::Reader& reader) -> Result<> {
            auto found = find_serial(reader, wanted.list, wanted.serial_number);
            if (!found) return std::move(found).error();
            return check_serial_use(*found, wanted);
        });
        return looked ? "" : looked.error().message;
    }
    std::string state_of(const std::string& serial) {
        const auto found =
            read([&](store::Reader& reader) { return find_serial(reader, "factory", serial); });
        return found ? std::string(to_string(found->entry.state)) : found.error().message;
    }
};

TEST_F(AllowListTest, UsesANumberOnce) {
    add({{"SN1"}});
    EXPECT_EQ(look(use_of("SN1")), "");
    EXPECT_EQ(state_of("SN1"), "unused");
    EXPECT_EQ(use(use_of("SN1")), "");
    EXPECT_EQ(state_of("SN1"), "used");
    EXPECT_EQ(look(use_of("SN1", 2)),
              "was used by certificate " + use_of("SN1", 1).certificate.hex() +
                  " at 2026-06-01T00:00:00Z");
    EXPECT_EQ(use(use_of("SN1", 2)), look(use_of("SN1", 2)));
    EXPECT_EQ(use(use_of("SN1")), "");  // its own certificate, asking again
    auto again = use_of("SN1", 2);
    again.single_use = false;
    EXPECT_EQ(look(again), "");
}

TEST_F(AllowListTest, RefusesWhatIsNotThereOrBlocked) {
    EXPECT_EQ(look(use_of("SN1")), "is not on the list factory");
    add({{"SN1", SerialState::Blocked}});
    add({{"SN1"}});  // skipped: it stays blocked
    EXPECT_EQ(look(use_of("SN1")), "is blocked");
    EXPECT_EQ(use(use_of("SN1")), "is blocked");
    EXPECT_EQ(look(use_of("SN")), "is not on the list factory");
    auto other = use_of("SN1");
    other.list = "elsewhere";
    EXPECT_EQ(look(other), "is not on the list elsewhere");
    const auto set = write(
        [&](store::Tx& tx) { return set_serial_state(tx, "factory", "SN1", SerialState::Unused); });
    ASSERT_TRUE(set);
    EXPECT_EQ(look(use_of("SN1")), "");
}

TEST_F(AllowListTest, KeepsToTemplateTimeAndKey) {
    AllowedSerial entry{"SN1"};
    entry.terms = {"t", kNow, kNow};
    entry.key_sha256 = Bytes(32, 7);
    add({entry});
    EXPECT_EQ(look(use_of("SN1")), "is bound to another public key");
    auto wanted = use_of("SN1");
    wanted.key_sha256 = Bytes(32, 7);
    EXPECT_EQ(look(wanted), "");
    wanted.now = kNow - std::chrono::seconds(1);
    EXPECT_EQ(look(wanted), "may not register before 2026-06-01T00:00:00Z");
    wanted.now = kNow + std::chrono::seconds(1);
    EXPECT_EQ(use(wanted), "may not register after 2026-06-01T00:00:00Z");
    wanted.now = kNow;
    wanted.template_name = "other";
    EXPECT_EQ(look(wanted), "is for the template t");
    wanted.template_name = "t";
    EXPECT_EQ(use(wanted), "");
}

TEST_F(AllowListTest, CoversPrefixesAndRangesAndRemembersWhoUsedThem) {
    add_covering({"AB-", "", {}});
    add_covering(*parse_serial_range("SN-0098..SN-0102"));
    for (const char* serial : {"AB-1", "AB-", "SN-0098", "SN-0100", "SN-0102"})
        EXPECT_EQ(look(use_of(serial)), "") << serial;
    for (const char* serial : {"AB", "SN-0097", "SN-0103", "SN-00981", "SN-009", "SN-00z9", "X"})
        EXPECT_EQ(look(use_of(serial)), "is not on the list factory") << serial;
    EXPECT_EQ(use(use_of("SN-0100")), "");
    EXPECT_EQ(state_of("SN-0100"), "used");
    EXPECT_NE(look(use_of("SN-0100", 2)), "");
    EXPECT_EQ(look(use_of("SN-0101", 2)), "");
    const auto gone = write([&](store::Tx& tx) {
        return remove_pattern(tx, "factory", *parse_serial_range("SN-0098..SN-0102"));
    });
    ASSERT_TRUE(gone);
    EXPECT_EQ(look(use_of("SN-0101")), "is not on the list factory");
}

TEST_F(AllowListTest, RefusesRangesThatAreNone) {
    for (const char* text :
         {"", "..", "SN-1", "SN-1..SN-10", "SN-2..SN-1", "SN-A..SN-B", "A-1..B-2", "1..", "..1"}) {
        expect_error(
            parse_serial_range(text),
            Code::InvalidRequest,
            std::string("expected a range such as SN-0001..SN-0999, found \"") + text + "\"",
            "range");
    }
}

TEST_F(AllowListTest, ListsInOrderByPagesAndPrefix) {
    add({{"b2"}, {"a"}, {"b1"}, {"c", SerialState::Blocked}});
    const auto names = [&](std::string_view after, std::string_view prefix, int limit) {
        const auto listed = read([&](store::Reader& reader) {
            return list_serials(reader, "factory", after, prefix, limit);
        });
        std::string text;
        for (const auto& entry : *listed)
            text += entry.serial_number + " ";
        return text;
    };
    EXPECT_EQ(names("", "", 10), "a b1 b2 c ");
    EXPECT_EQ(names("a", "", 2), "b1 b2 ");
    EXPECT_EQ(names("", "b", 10), "b1 b2 ");
    const auto counts = read([](store::Reader& reader) { return count_serials(reader); });
    ASSERT_EQ(counts->size(), 1U);
    EXPECT_EQ((*counts)[0].first, "factory");
    EXPECT_EQ((*counts)[0].second.unused, 3);
    EXPECT_EQ((*counts)[0].second.blocked, 1);
}

TEST_F(AllowListTest, RefusesWrongNamesAndSizes) {
    const auto refused = [&](std::string_view list, const std::string& serial) {
        const std::vector<AllowedSerial> entries{{serial}};
        const auto added =
            write([&](store::Tx& tx) { return add_serials(tx, list, entries, OnExisting::Skip); });
        return added ? "" : to_string(added.error());
    };
    EXPECT_EQ(refused("a b", "x"),
              "list: expected a list's name of 1 to 64 of a-z A-Z 0-9 - _ ., found \"a b\"");
    EXPECT_EQ(refused("l", ""),
              "serialNumber: expected a serial number of 1 to 256 bytes, found 0");
    EXPECT_EQ(refused("l", std::string(257, 'x')),
              "serialNumber: expected a serial number of 1 to 256 bytes, found 257");
}

}  // namespace
}  // namespace hatchery::registry
