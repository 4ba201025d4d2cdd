// A registry of its own for each test, and certificates to put into it.
#pragma once

#include "ca/issuer.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/templates.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hatchery::registry {

inline constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

template <class T>
void expect_error(const Result<T>& result,
                  Code code,
                  std::string_view message,
                  std::string_view where = {},
                  std::string_view resource = {}) {
    ASSERT_FALSE(result) << "expected: " << message;
    EXPECT_EQ(to_string(result.error().code), to_string(code));
    EXPECT_EQ(result.error().message, message);
    EXPECT_EQ(result.error().where, where);
    EXPECT_EQ(result.error().resource, resource);
}

/// The first column of all rows, as text.
inline std::vector<std::string> column(store::Reader& reader, std::string_view sql) {
    std::vector<std::string> values;
    auto rows = reader.query(sql);
    while (true) {
        auto row = rows.step();
        EXPECT_TRUE(row) << sql;
        if (!row || !*row) return values;
        values.emplace_back(rows.text(0));
    }
}

/// A certificate with a key of its own, signed by itself.
inline ca::Certificate new_certificate(std::string_view common_name) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    auto made = ca::make_root(*key, common_name, std::chrono::hours(24 * 365), kNow);
    if (!made) throw std::runtime_error(to_string(made.error()));
    return *made;
}

class RegistryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = open(directory_ / "registry.db");
        ASSERT_TRUE(opened) << to_string(opened.error());
        store_ = std::move(*opened);
    }

    template <class F>
    auto write(F&& work) {
        return store_->write(std::forward<F>(work));
    }
    template <class F>
    auto read(F&& work) {
        return store_->read(std::forward<F>(work));
    }

    Result<Thing> make_thing(const NewThing& wanted) {
        return write([&](store::Tx& tx) { return create_thing(tx, account_, wanted, kNow); });
    }
    Result<ThingGroup> make_group(const std::string& name,
                                  std::optional<std::string> parent = std::nullopt) {
        ThingGroup wanted;
        wanted.name = name;
        wanted.parent = std::move(parent);
        return write([&](store::Tx& tx) { return create_thing_group(tx, account_, wanted, kNow); });
    }
    Result<Policy> make_policy(std::string_view name, std::string_view document = "{}") {
        return write(
            [&](store::Tx& tx) { return create_policy(tx, account_, name, document, kNow); });
    }
    Result<DeviceCertificate> store_certificate(
        const ca::Certificate& certificate,
        CertificateStatus status = CertificateStatus::Active,
        std::optional<CertificateId> ca = std::nullopt) {
        return write([&](store::Tx& tx) {
            return add_certificate(
                tx, account_, certificate, status, ca, CertificateMode::Default, kNow);
        });
    }
    /// Does `work` make every session read its identity again?
    template <class F>
    bool touches(F&& work) {
        const auto before = store_->identity_generation();
        auto done = store_->write(std::forward<F>(work));
        EXPECT_TRUE(done);
        return store_->identity_generation() != before;
    }
    /// Every page of a list, and how many pages there were.
    template <class List>
    auto all_pages(int limit, List list) {
        using Items = decltype(list(std::declval<store::Reader&>(), PageRequest{})->items);
        std::pair<Items, int> all;
        PageRequest request{"", limit};
        while (true) {
            auto page = read([&](store::Reader& reader) { return list(reader, request); });
            EXPECT_TRUE(page);
            if (!page) return all;
            ++all.second;
            for (auto& item : page->items)
                all.first.push_back(std::move(item));
            if (!page->next) return all;
            request.after = *page->next;
        }
    }

    testing::TempDirectory directory_;
    Account account_;
    std::unique_ptr<store::Store> store_;
};

}  // namespace hatchery::registry
