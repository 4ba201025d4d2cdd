// Renewed certificates, from their issue to their first connect.
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/revocations.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

Result<> supersede(store::Tx& tx,
                   const CertificateId& certificate,
                   std::string_view requester,
                   Time now) {
    auto serial = find_serial(tx, certificate);
    if (!serial) {
        return serial.error().code == Code::NotFound ? Result<>{} : std::move(serial).error();
    }
    if (!*serial) return set_certificate_status(tx, certificate, CertificateStatus::Inactive, now);
    return revoke_once(tx, **serial, ca::RevocationReason::Superseded, requester, now);
}

/// Its things have another certificate by now.
Result<> detach_things(store::Tx& tx, const CertificateId& certificate) {
    auto things = things_of_principal(tx, certificate);
    if (!things) return things.error().code == Code::NotFound ? Result<>{} : things.error();
    for (const auto& thing : *things) {
        auto detached = detach_thing_principal(tx, thing.name, certificate);
        if (!detached) return detached;
    }
    return {};
}

Renewal make_renewal(const store::Statement& row) {
    return {id_of(row, 0), id_of(row, 1), time_of(row, 2)};
}

}  // namespace

Result<> add_renewal(store::Tx& tx, const Renewal& renewal, std::string_view requester, Time now) {
    auto lost =
        read_all(tx.query("SELECT certificate, replaced, made FROM renewals WHERE replaced = ?",
                          renewal.replaced.view()),
                 make_renewal);
    if (!lost) return std::move(lost).error();
    for (const auto& earlier : *lost) {
        if (auto done = supersede(tx, earlier.certificate, requester, now); !done) return done;
    }
    auto gone = tx.run("DELETE FROM renewals WHERE replaced = ?", renewal.replaced.view());
    if (!gone) return gone;
    return tx.run("INSERT INTO renewals(certificate, replaced, made) VALUES(?, ?, ?)",
                  renewal.certificate.view(),
                  renewal.replaced.view(),
                  seconds(renewal.made));
}

Result<Renewal> find_renewal(store::Reader& reader, const CertificateId& certificate) {
    auto row =
        reader.query("SELECT certificate, replaced, made FROM renewals WHERE certificate = ?",
                     certificate.view());
    if (auto there = expect_row(row, "renewal to", certificate.hex()); !there) {
        return std::move(there).error();
    }
    return make_renewal(row);
}

Result<std::optional<Renewal>> last_renewal_of(store::Reader& reader,
                                               const CertificateId& certificate) {
    auto row = reader.query(
        "SELECT certificate, replaced, made FROM renewals WHERE replaced = ? ORDER BY made DESC "
        "LIMIT 1",
        certificate.view());
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<Renewal>{};
    return std::optional<Renewal>{make_renewal(row)};
}

Result<> retire_replaced(store::Tx& tx, const CertificateId& certificate, Time now) {
    auto renewal = find_renewal(tx, certificate);
    if (!renewal) return renewal.error().code == Code::NotFound ? Result<>{} : renewal.error();
    auto done = supersede(tx, renewal->replaced, "renewal:" + certificate.hex(), now);
    if (!done) return done;
    if (auto detached = detach_things(tx, renewal->replaced); !detached) return detached;
    return tx.run("DELETE FROM renewals WHERE certificate = ?", certificate.view());
}

}  // namespace hatchery::registry
