#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

/// An exclusive certificate has exactly one thing.
Result<> check_exclusive(store::Reader& reader,
                         const CertificateRow& certificate,
                         std::int64_t thing,
                         bool exclusive) {
    auto rows = reader.query(
        "SELECT t.name, p.exclusive FROM thing_principals p JOIN things t ON t.key = p.thing "
        "WHERE p.certificate = ? AND p.thing <> ?",
        certificate.key,
        thing);
    while (true) {
        auto other = rows.step();
        if (!other) return std::move(other).error();
        if (!*other) return {};
        const bool is_elsewhere_exclusively = rows.integer(1) != 0;
        if (exclusive || is_elsewhere_exclusively) {
            return fail(Code::Conflict,
                        "certificate " + certificate.id.hex() + " is attached " +
                            (is_elsewhere_exclusively ? "exclusively " : "") + "to thing " +
                            std::string(rows.text(0)));
        }
    }
}

Result<> attach_principal(store::Tx& tx,
                          std::int64_t thing,
                          const CertificateRow& certificate,
                          bool exclusive) {
    std::int64_t* const of_new = tx.count_of_new(tag_of_things(certificate.key));
    if (of_new == nullptr || *of_new > 0) {
        if (auto good = check_exclusive(tx, certificate, thing, exclusive); !good) return good;
    }
    auto attached = tx.run(
        "INSERT INTO thing_principals(certificate, thing, exclusive) "
        "VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET exclusive = ?3 "
        "WHERE exclusive <> ?3",
        certificate.key,
        thing,
        exclusive);
    if (!attached || tx.changes() == 0) return attached;
    if (of_new != nullptr) ++*of_new;
    touch_sessions_of(tx, certificate);
    return {};
}

}  // namespace

Result<> attach_thing_principal(store::Tx& tx,
                                std::string_view thing,
                                const CertificateId& id,
                                bool exclusive) {
    auto thing_key = key_of(tx, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto certificate = find_certificate_row(tx, id);
    if (!certificate) return std::move(certificate).error();
    return attach_principal(tx, *thing_key, *certificate, exclusive);
}

Result<> attach_thing_principal(store::Tx& tx,
                                const Thing& thing,
                                const DeviceCertificate& certificate,
                                bool exclusive) {
    return attach_principal(tx, thing.key, row_of(certificate), exclusive);
}

Result<> detach_thing_principal(store::Tx& tx, std::string_view thing, const CertificateId& id) {
    auto thing_key = key_of(tx, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto certificate = find_certificate_row(tx, id);
    if (!certificate) return std::move(certificate).error();
    auto detached = tx.run("DELETE FROM thing_principals WHERE certificate = ? AND thing = ?",
                           certificate->key,
                           *thing_key);
    if (detached && tx.changes() > 0) touch_sessions_of(tx, *certificate);
    return detached;
}

Result<std::vector<CertificateId>> principals_of_thing(store::Reader& reader,
                                                       std::string_view thing) {
    auto thing_key = key_of(reader, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    auto rows = reader.query(
        "SELECT c.id FROM thing_principals p JOIN certificates c ON c.key = p.certificate "
        "WHERE p.thing = ? ORDER BY c.key",
        *thing_key);
    return read_all(std::move(rows), [](const store::Statement& row) { return id_of(row, 0); });
}

namespace {

Result<std::vector<AttachedThing>> things_of_key(store::Reader& reader, std::int64_t certificate) {
    auto rows = reader.query(
        "SELECT t.name, p.exclusive FROM thing_principals p JOIN things t ON t.key = p.thing "
        "WHERE p.certificate = ? ORDER BY t.name",
        certificate);
    return read_all(std::move(rows), [](const store::Statement& row) {
        return AttachedThing{std::string(row.text(0)), row.integer(1) != 0};
    });
}

}  // namespace

Result<std::vector<AttachedThing>> things_of_principal(store::Reader& reader,
                                                       const CertificateId& id) {
    auto certificate = find_certificate_row(reader, id);
    if (!certificate) return std::move(certificate).error();
    return things_of_key(reader, certificate->key);
}

Result<std::vector<AttachedThing>> things_of_principal(store::Reader& reader,
                                                       const DeviceCertificate& certificate) {
    return things_of_key(reader, certificate.key);
}

}  // namespace hatchery::registry
