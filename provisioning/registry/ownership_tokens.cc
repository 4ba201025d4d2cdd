#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/escrow.h"

namespace hatchery::registry {

namespace {

constexpr int kMaxDeletedAtOnce = 1'000;  // the other writes of the group wait meanwhile

Error not_good() {
    return fail(Code::NotFound, "the certificate ownership token is unknown, used or expired");
}

}  // namespace

Result<> add_ownership_token(store::Tx& tx, ByteView token_sha256, const OwnershipToken& token) {
    auto certificate = find_certificate_row(tx, token.certificate);
    if (!certificate) return std::move(certificate).error();
    return tx.run(
        "INSERT INTO ownership_tokens(token_sha256, certificate, claim_certificate, expires) "
        "VALUES(?, ?, ?, ?)",
        token_sha256,
        certificate->key,
        token.claim_certificate.view(),
        seconds(token.expires));
}

Result<OwnershipToken> find_ownership_token(store::Reader& reader,
                                            ByteView token_sha256,
                                            Time now) {
    auto row = reader.query(
        "SELECT c.id, t.claim_certificate, t.expires FROM ownership_tokens t "
        "JOIN certificates c ON c.key = t.certificate WHERE t.token_sha256 = ? AND t.expires > ?",
        token_sha256,
        seconds(now));
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return not_good();
    return OwnershipToken{id_of(row, 0), id_of(row, 1), time_of(row, 2)};
}

Result<> spend_ownership_token(store::Tx& tx, ByteView token_sha256) {
    auto spent = tx.run("DELETE FROM ownership_tokens WHERE token_sha256 = ?", token_sha256);
    if (!spent) return spent;
    if (tx.changes() == 0) return not_good();
    return {};
}

Result<std::int64_t> delete_expired_tokens(store::Tx& tx, Time now) {
    auto rows = tx.query(
        "SELECT token_sha256, certificate FROM ownership_tokens WHERE expires <= ? "
        "ORDER BY expires LIMIT ?",
        seconds(now),
        kMaxDeletedAtOnce);
    struct Expired {
        Bytes token;
        std::int64_t certificate;
    };
    auto expired = read_all(std::move(rows), [](const store::Statement& row) {
        return Expired{to_bytes(row.blob(0)), row.integer(1)};
    });
    if (!expired) return std::move(expired).error();
    for (const Expired& one : *expired) {
        auto gone = tx.run("DELETE FROM ownership_tokens WHERE token_sha256 = ?", one.token);
        if (!gone) return std::move(gone).error();
        // No session has a certificate that is PENDING_ACTIVATION, so no identity changes.
        auto forgotten = tx.query(
            "DELETE FROM certificates WHERE key = ?1 AND status = ?2 "
            "AND NOT EXISTS (SELECT 1 FROM thing_principals WHERE certificate = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM certificate_policies WHERE certificate = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM ownership_tokens WHERE certificate = ?1) "
            "RETURNING id",
            one.certificate,
            static_cast<int>(CertificateStatus::PendingActivation));
        auto is_gone = forgotten.step();
        if (!is_gone) return std::move(is_gone).error();
        if (!*is_gone) continue;
        const CertificateId id = id_of(forgotten, 0);
        if (auto ended = forgotten.run(); !ended) return std::move(ended).error();
        if (gone = delete_escrowed_key(tx, id); !gone) return std::move(gone).error();
    }
    return static_cast<std::int64_t>(expired->size());
}

Result<> add_provisioning_claim(store::Tx& tx,
                                const CertificateId& id,
                                const ProvisioningClaim& claim) {
    auto key = key_of(tx, kTemplate, claim.template_name);
    if (!key) return std::move(key).error();
    return tx.run("INSERT INTO provisioning_claims(certificate, template, expires) VALUES(?, ?, ?)",
                  id.view(),
                  *key,
                  seconds(claim.expires));
}

Result<ProvisioningClaim> find_provisioning_claim(store::Reader& reader,
                                                  const CertificateId& id,
                                                  Time now) {
    auto row = reader.query(
        "SELECT t.name, c.expires FROM provisioning_claims c JOIN templates t ON t.key = "
        "c.template WHERE c.certificate = ? AND c.expires > ?",
        id.view(),
        seconds(now));
    if (auto there = expect_row(row, "provisioning claim", id.hex()); !there)
        return std::move(there).error();
    return ProvisioningClaim{std::string(row.text(0)), time_of(row, 1)};
}

Result<std::int64_t> delete_expired_claims(store::Tx& tx, Time now) {
    auto gone = tx.run("DELETE FROM provisioning_claims WHERE expires <= ?", seconds(now));
    if (!gone) return std::move(gone).error();
    return tx.changes();
}

}  // namespace hatchery::registry
