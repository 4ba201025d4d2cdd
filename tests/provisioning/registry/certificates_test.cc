#include "provisioning/registry/certificates.h"

#include "ca/digest.h"
#include "tests/provisioning/registry/registry_fixture.h"

namespace hatchery::registry {
namespace {

class CertificatesTest : public RegistryTest {
  protected:
    Result<> set_status(const CertificateId& id, CertificateStatus status, Time now = kNow) {
        return write([&](store::Tx& tx) { return set_certificate_status(tx, id, status, now); });
    }
    Result<DeviceCertificate> find(const CertificateId& id) {
        return read([&](store::Reader& reader) { return find_certificate(reader, id); });
    }
    Result<> remove(const CertificateId& id, bool force) {
        return write([&](store::Tx& tx) { return delete_certificate(tx, id, force); });
    }
    Result<CaCertificate> store_ca(const ca::Certificate& certificate,
                                   const CaCertificate& settings = {}) {
        return write(
            [&](store::Tx& tx) { return add_ca(tx, account_, certificate, settings, kNow); });
    }
    Result<> update(const CertificateId& id, const CaUpdate& change) {
        return write([&](store::Tx& tx) {
            return update_ca(tx, id, change, kNow + std::chrono::seconds(9));
        });
    }
};

TEST_F(CertificatesTest, SpellsStatusesAsAwsDoes) {
    EXPECT_EQ(to_string(CertificateStatus::PendingActivation), "PENDING_ACTIVATION");
    EXPECT_EQ(to_string(CertificateStatus::RegisterInactive), "REGISTER_INACTIVE");
    EXPECT_EQ(to_string(CertificateMode::SniOnly), "SNI_ONLY");
    for (auto status : {CertificateStatus::Active,
                        CertificateStatus::Inactive,
                        CertificateStatus::Revoked,
                        CertificateStatus::PendingTransfer,
                        CertificateStatus::RegisterInactive,
                        CertificateStatus::PendingActivation}) {
        EXPECT_EQ(*parse_certificate_status(to_string(status)), status);
    }
    EXPECT_EQ(*parse_certificate_status("Active"), CertificateStatus::Active);
    expect_error(parse_certificate_status("ACTIV"),
                 Code::InvalidRequest,
                 "expected ACTIVE, INACTIVE, REVOKED, PENDING_TRANSFER, REGISTER_INACTIVE or "
                 "PENDING_ACTIVATION",
                 "status");
}

TEST_F(CertificatesTest, KeepsACertificate) {
    auto certificate = new_certificate("device");
    auto ca = new_certificate("its CA");
    auto made = store_certificate(certificate, CertificateStatus::PendingActivation, ca.id());
    ASSERT_TRUE(made) << to_string(made.error());
    auto found = find(certificate.id());
    ASSERT_TRUE(found);
    for (const DeviceCertificate& one : {*made, *found}) {
        EXPECT_EQ(one.id, certificate.id());
        EXPECT_EQ(one.der, certificate.der());
        EXPECT_EQ(one.status, CertificateStatus::PendingActivation);
        EXPECT_EQ(one.ca_id, ca.id());
        EXPECT_EQ(one.mode, CertificateMode::Default);
        EXPECT_EQ(one.created, kNow);
        EXPECT_EQ(one.modified, kNow);
        EXPECT_EQ(one.not_before, certificate.fields().not_before);
        EXPECT_EQ(one.not_after, certificate.fields().not_after);
        EXPECT_EQ(one.customer_version, 1);
        EXPECT_EQ(one.generation_id, made->generation_id);
        EXPECT_EQ(one.generation_id.size(), 36U);
    }
    expect_error(store_certificate(certificate),
                 Code::AlreadyExists,
                 "certificate " + certificate.id().hex() + " is registered already",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:cert/" + certificate.id().hex());
    expect_error(find(ca.id()), Code::NotFound, "certificate " + ca.id().hex() + " does not exist");
}

TEST_F(CertificatesTest, FollowsTheStatusMachine) {
    using Status = CertificateStatus;
    struct Case {
        Status from, to;
        std::optional<Code> refused;
    };
    const std::vector<Case> cases{
        {Status::PendingActivation, Status::Active, {}},
        {Status::PendingActivation, Status::Inactive, {}},
        {Status::PendingActivation, Status::Revoked, {}},
        {Status::Active, Status::Inactive, {}},
        {Status::Inactive, Status::Active, {}},
        {Status::Active, Status::Active, {}},
        {Status::Active, Status::Revoked, {}},
        {Status::Inactive, Status::Revoked, {}},
        {Status::Revoked, Status::Revoked, {}},
        {Status::Revoked, Status::Active, Code::CertificateState},
        {Status::Revoked, Status::Inactive, Code::CertificateState},
        {Status::PendingTransfer, Status::Active, Code::CertificateState},
        {Status::Active, Status::PendingActivation, Code::InvalidRequest},
        {Status::Active, Status::PendingTransfer, Code::InvalidRequest},
        {Status::Active, Status::RegisterInactive, Code::InvalidRequest},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(std::string(to_string(one.from)) + " to " + std::string(to_string(one.to)));
        auto certificate = new_certificate("device");
        ASSERT_TRUE(store_certificate(certificate, one.from));
        auto set = set_status(certificate.id(), one.to, kNow + std::chrono::seconds(5));
        const auto found = find(certificate.id());
        if (one.refused) {
            ASSERT_FALSE(set);
            EXPECT_EQ(set.error().code, *one.refused);
            EXPECT_EQ(found->status, one.from);
        } else {
            EXPECT_TRUE(set);
            EXPECT_EQ(found->status, one.to);
            EXPECT_EQ(found->modified, one.from == one.to ? kNow : kNow + std::chrono::seconds(5));
        }
    }
    const CertificateId unknown;
    expect_error(set_status(unknown, Status::Active),
                 Code::NotFound,
                 "certificate " + unknown.hex() + " does not exist");
}

TEST_F(CertificatesTest, DeletesACertificateThatIsNotInUse) {
    auto certificate = new_certificate("device");
    const CertificateId id = certificate.id();
    ASSERT_TRUE(store_certificate(certificate));
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(make_policy("p"));
    ASSERT_TRUE(write([&](store::Tx& tx) -> Result<> {
        if (auto done = attach_thing_principal(tx, "t1", id, false); !done) return done;
        return attach_policy_to_certificate(tx, "p", id);
    }));
    expect_error(remove(id, true),
                 Code::CertificateState,
                 "certificate " + id.hex() + " is ACTIVE, make it INACTIVE before deleting it");
    ASSERT_TRUE(set_status(id, CertificateStatus::Inactive));
    expect_error(remove(id, true),
                 Code::DeleteConflict,
                 "certificate " + id.hex() + " is attached to a thing");
    ASSERT_TRUE(write([&](store::Tx& tx) { return detach_thing_principal(tx, "t1", id); }));
    expect_error(remove(id, false),
                 Code::DeleteConflict,
                 "certificate " + id.hex() + " has policies attached");
    EXPECT_TRUE(remove(id, true));
    expect_error(remove(id, false), Code::NotFound, "certificate " + id.hex() + " does not exist");
    EXPECT_TRUE(write([](store::Tx& tx) { return delete_policy(tx, "p"); }));
}

TEST_F(CertificatesTest, ListsInOrderOfCreation) {
    auto ca = new_certificate("ca");
    std::vector<CertificateId> all, of_ca;
    for (int i = 0; i < 7; ++i) {
        auto certificate = new_certificate("device");
        const bool has_ca = i % 2 == 0;
        ASSERT_TRUE(store_certificate(certificate,
                                      CertificateStatus::Active,
                                      has_ca ? std::optional(ca.id()) : std::nullopt));
        all.push_back(certificate.id());
        if (has_ca) of_ca.push_back(certificate.id());
    }
    auto ids = [&](bool ascending, std::optional<CertificateId> by_ca, int limit) {
        std::vector<CertificateId> found;
        auto [certificates, pages] =
            all_pages(limit, [&](store::Reader& reader, const PageRequest& page) {
                return list_certificates(reader, page, ascending, by_ca);
            });
        for (const auto& one : certificates)
            found.push_back(one.id);
        return found;
    };
    for (int limit : {1, 3, 250}) {
        EXPECT_EQ(ids(true, {}, limit), all);
        EXPECT_EQ(ids(true, ca.id(), limit), of_ca);
        EXPECT_EQ(ids(false, {}, limit), (std::vector<CertificateId>{all.rbegin(), all.rend()}));
    }
    EXPECT_TRUE(ids(true, CertificateId{}, 250).empty());
    auto bad = read([](store::Reader& reader) {
        return list_certificates(reader, {"-1", 10}, true, std::nullopt);
    });
    expect_error(bad, Code::InvalidRequest, "expected the position of an earlier page");
}

TEST_F(CertificatesTest, RegistersACa) {
    auto ca = new_certificate("CA");
    CaCertificate settings;
    settings.active = true;
    settings.auto_registration = true;
    settings.mode = CertificateMode::SniOnly;
    settings.registration = RegistrationConfig{"template", {}, {}};
    auto made = store_ca(ca, settings);
    ASSERT_TRUE(made) << to_string(made.error());
    auto found = read([&](store::Reader& reader) { return find_ca(reader, ca.id()); });
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, ca.id());
    EXPECT_EQ(found->der, ca.der());
    EXPECT_EQ(found->subject_der, ca.fields().subject_der);
    EXPECT_TRUE(found->active);
    EXPECT_TRUE(found->auto_registration);
    EXPECT_EQ(found->mode, CertificateMode::SniOnly);
    ASSERT_TRUE(found->registration);
    EXPECT_EQ(found->registration->template_name, "template");
    EXPECT_EQ(found->created, kNow);
    EXPECT_EQ(found->not_after, ca.fields().not_after);
    expect_error(store_ca(ca),
                 Code::AlreadyExists,
                 "CA certificate " + ca.id().hex() + " is registered already",
                 "",
                 "arn:aws:iot:us-east-1:123456789012:cacert/" + ca.id().hex());
    settings.registration = RegistrationConfig{"template", "{}", {}};
    expect_error(store_ca(new_certificate("both"), settings),
                 Code::InvalidRequest,
                 "expected templateName or templateBody, found both",
                 "registrationConfig");
}

TEST_F(CertificatesTest, FindsEveryCaOfASubject) {
    std::vector<CertificateId> same;
    Bytes subject;
    for (int i = 0; i < 10; ++i) {
        auto ca = new_certificate("same");
        ASSERT_TRUE(store_ca(ca));
        same.push_back(ca.id());
        subject = ca.fields().subject_der;
    }
    ASSERT_TRUE(store_ca(new_certificate("other")));
    auto found = read([&](store::Reader& reader) { return find_cas_by_subject(reader, subject); });
    ASSERT_TRUE(found);
    std::vector<CertificateId> ids;
    for (const auto& ca : *found)
        ids.push_back(ca.id);
    EXPECT_EQ(ids, same);
    expect_error(store_ca(new_certificate("same")),
                 Code::LimitExceeded,
                 "10 CA certificates with the subject CN=same are registered already");
    EXPECT_EQ(all_pages(4,
                        [](store::Reader& reader, const PageRequest& page) {
                            return list_cas(reader, page, false);
                        })
                  .second,
              3);
}

TEST_F(CertificatesTest, UpdatesAndDeletesACa) {
    auto ca = new_certificate("CA");
    auto device = new_certificate("device");
    ASSERT_TRUE(store_ca(ca));
    ASSERT_TRUE(store_certificate(device, CertificateStatus::Active, ca.id()));
    CaUpdate change;
    change.active = true;
    change.registration = RegistrationConfig{{}, "{}", "arn:role"};
    ASSERT_TRUE(update(ca.id(), change));
    auto find = [&] {
        return read([&](store::Reader& reader) { return find_ca(reader, ca.id()); });
    };
    auto found = find();
    EXPECT_TRUE(found->active);
    EXPECT_FALSE(found->auto_registration);
    ASSERT_TRUE(found->registration);
    EXPECT_EQ(found->registration->template_body, "{}");
    EXPECT_EQ(found->registration->role_arn, "arn:role");
    EXPECT_EQ(found->modified, kNow + std::chrono::seconds(9));

    auto remove = [&] { return write([&](store::Tx& tx) { return delete_ca(tx, ca.id()); }); };
    expect_error(
        remove(),
        Code::CertificateState,
        "CA certificate " + ca.id().hex() + " is ACTIVE, make it INACTIVE before deleting it");
    change.remove_registration = true;
    expect_error(update(ca.id(), change),
                 Code::InvalidRequest,
                 "expected registrationConfig or removeAutoRegistration, found both",
                 "removeAutoRegistration");
    change.registration.reset();
    change.active = false;
    change.auto_registration = true;
    ASSERT_TRUE(update(ca.id(), change));
    EXPECT_EQ(find()->registration, std::nullopt);
    EXPECT_TRUE(find()->auto_registration);
    EXPECT_TRUE(remove());
    const std::string gone = "CA certificate " + ca.id().hex() + " does not exist";
    expect_error(find(), Code::NotFound, gone);
    expect_error(remove(), Code::NotFound, gone);
    expect_error(update(ca.id(), {}), Code::NotFound, gone);
    // A device certificate goes on telling its CA, and the CA may come again.
    auto orphan =
        read([&](store::Reader& reader) { return find_certificate(reader, device.id()); });
    EXPECT_EQ(orphan->ca_id, ca.id());
    EXPECT_TRUE(store_ca(ca));
}

TEST_F(CertificatesTest, KeepsTheRegistrationCodeUntilItIsDeleted) {
    auto code = [&] { return *write([](store::Tx& tx) { return registration_code(tx); }); };
    const std::string first = code();
    EXPECT_EQ(first.size(), 64U);
    EXPECT_TRUE(from_hex(first));
    EXPECT_EQ(code(), first);
    ASSERT_TRUE(write([](store::Tx& tx) { return delete_registration_code(tx); }));
    ASSERT_TRUE(write([](store::Tx& tx) { return delete_registration_code(tx); }));
    EXPECT_NE(code(), first);
}

TEST_F(CertificatesTest, SpendsATokenOnce) {
    auto device = new_certificate("device");
    auto claim = new_certificate("claim");
    ASSERT_TRUE(store_certificate(device, CertificateStatus::PendingActivation));
    const auto token = ca::sha256(bytes_of("token"));
    const Time expires = kNow + std::chrono::hours(1);
    ASSERT_TRUE(write([&](store::Tx& tx) {
        return add_ownership_token(tx, token, {device.id(), claim.id(), expires});
    }));
    auto find = [&](Time now) {
        return read(
            [&](store::Reader& reader) { return find_ownership_token(reader, token, now); });
    };
    auto found = find(expires - std::chrono::seconds(1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->certificate, device.id());
    EXPECT_EQ(found->claim_certificate, claim.id());
    EXPECT_EQ(found->expires, expires);
    constexpr std::string_view kBad = "the certificate ownership token is unknown, used or expired";
    expect_error(find(expires), Code::NotFound, kBad);
    auto spend = [&] {
        return write([&](store::Tx& tx) { return spend_ownership_token(tx, token); });
    };
    EXPECT_TRUE(spend());
    expect_error(spend(), Code::NotFound, kBad);
    expect_error(find(kNow), Code::NotFound, kBad);
    const CertificateId unknown;
    expect_error(write([&](store::Tx& tx) {
                     return add_ownership_token(tx, token, {unknown, claim.id(), expires});
                 }),
                 Code::NotFound,
                 "certificate " + unknown.hex() + " does not exist");
}

TEST_F(CertificatesTest, DeletesExpiredTokensAndWhatNobodyClaimed) {
    const Time expires = kNow + std::chrono::hours(1);
    struct Device {
        std::string name;
        CertificateStatus status;
        Time expires;
        bool is_kept;
    };
    const std::vector<Device> devices{
        {"abandoned", CertificateStatus::PendingActivation, expires, false},
        {"fresh", CertificateStatus::PendingActivation, expires + std::chrono::seconds(2), true},
        {"active", CertificateStatus::Active, expires, true},
        {"with-thing", CertificateStatus::PendingActivation, expires, true},
        {"with-policy", CertificateStatus::PendingActivation, expires, true},
    };
    ASSERT_TRUE(make_thing({"t1", {}, {}, {}}));
    ASSERT_TRUE(make_policy("p"));
    std::vector<CertificateId> ids;
    for (const Device& device : devices) {
        auto certificate = new_certificate(device.name);
        ids.push_back(certificate.id());
        ASSERT_TRUE(store_certificate(certificate, device.status));
        ASSERT_TRUE(write([&](store::Tx& tx) {
            return add_ownership_token(tx,
                                       ca::sha256(bytes_of(device.name)),
                                       {certificate.id(), certificate.id(), device.expires});
        }));
    }
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return attach_thing_principal(tx, "t1", ids[3], false); }));
    ASSERT_TRUE(
        write([&](store::Tx& tx) { return attach_policy_to_certificate(tx, "p", ids[4]); }));
    auto clean = [&](Time now) {
        return *write([&](store::Tx& tx) { return delete_expired_tokens(tx, now); });
    };
    EXPECT_EQ(clean(expires - std::chrono::seconds(1)), 0);
    EXPECT_EQ(clean(expires + std::chrono::seconds(1)), 4);
    EXPECT_EQ(clean(expires + std::chrono::seconds(1)), 0);
    for (std::size_t i = 0; i < devices.size(); ++i)
        EXPECT_EQ(find(ids[i]).has_value(), devices[i].is_kept) << devices[i].name;
}

}  // namespace
}  // namespace hatchery::registry
