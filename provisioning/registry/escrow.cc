#include "provisioning/registry/escrow.h"

#include "provisioning/registry/rows.h"

namespace hatchery::registry {

Result<> add_escrowed_key(store::Tx& tx, const CertificateId& certificate, std::string_view cms) {
    return tx.run(
        "INSERT INTO escrowed_keys(certificate, cms) VALUES(?, ?)", certificate.view(), cms);
}

Result<std::string> find_escrowed_key(store::Reader& reader, const CertificateId& certificate) {
    auto row =
        reader.query("SELECT cms FROM escrowed_keys WHERE certificate = ?", certificate.view());
    auto there = expect_row(row, "a key in escrow for certificate", certificate.hex());
    if (!there) return std::move(there).error();
    return std::string(row.text(0));
}

Result<> delete_escrowed_key(store::Tx& tx, const CertificateId& certificate) {
    return tx.run("DELETE FROM escrowed_keys WHERE certificate = ?", certificate.view());
}

}  // namespace hatchery::registry
