#include "ca/digest.h"
#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/tags.h"

namespace hatchery::registry {

namespace {

constexpr std::string_view kCaCertificate = "CA certificate";
constexpr std::int64_t kMaxCasOfSubject = 10;
constexpr std::string_view kRegistrationCode = "registration_code";

constexpr std::string_view kCaCertificates =
    "SELECT c.key, a.id, c.der, c.subject, c.active, c.auto_registration, c.mode, "
    "c.template_name, c.template_body, c.role_arn, c.created, c.modified, c.not_before, "
    "c.not_after, c.customer_version, c.generation_id "
    "FROM ca_certificates c JOIN authorities a ON a.key = c.key ";

CaCertificate make_ca(const store::Statement& row) {
    CaCertificate ca;
    ca.id = id_of(row, 1);
    ca.der = to_bytes(row.blob(2));
    ca.subject_der = to_bytes(row.blob(3));
    ca.active = row.integer(4) != 0;
    ca.auto_registration = row.integer(5) != 0;
    ca.mode = static_cast<CertificateMode>(row.integer(6));
    RegistrationConfig config{row.optional_text(7), row.optional_text(8), row.optional_text(9)};
    if (config.template_name || config.template_body || config.role_arn)
        ca.registration = std::move(config);
    ca.created = time_of(row, 10);
    ca.modified = time_of(row, 11);
    ca.not_before = time_of(row, 12);
    ca.not_after = time_of(row, 13);
    ca.customer_version = row.integer(14);
    ca.generation_id = uuid_text(row.blob(15));
    return ca;
}

Result<std::int64_t> ca_key(store::Reader& reader, const CertificateId& id) {
    auto row = reader.query(
        "SELECT c.key FROM ca_certificates c JOIN authorities a ON a.key = c.key WHERE a.id = ?",
        id.view());
    if (auto there = expect_row(row, kCaCertificate, id.hex()); !there)
        return std::move(there).error();
    return row.integer(0);
}

Result<> check_new_ca(store::Reader& reader,
                      const Account& account,
                      const ca::CertificateFields& fields) {
    auto there = ca_key(reader, fields.id);
    if (there) {
        Error error = fail(Code::AlreadyExists,
                           "CA certificate " + fields.id.hex() + " is registered already");
        error.resource = account.arn("cacert", fields.id.hex());
        return error;
    }
    if (there.error().code != Code::NotFound) return std::move(there).error();
    auto same = read_count(
        reader.query("SELECT count(*) FROM ca_certificates WHERE subject = ?", fields.subject_der));
    if (!same) return std::move(same).error();
    if (*same >= kMaxCasOfSubject) {
        return fail(Code::LimitExceeded,
                    "10 CA certificates with the subject " + fields.subject.to_string() +
                        " are registered already");
    }
    return {};
}

Result<> check_config(const std::optional<RegistrationConfig>& config) {
    if (!config || !config->template_name || !config->template_body) return {};
    return fail(Code::InvalidRequest,
                "expected templateName or templateBody, found both",
                "registrationConfig");
}

}  // namespace

Result<CaCertificate> add_ca(store::Tx& tx,
                             const Account& account,
                             const ca::Certificate& certificate,
                             const CaCertificate& settings,
                             Time now) {
    const ca::CertificateFields& fields = certificate.fields();
    if (auto good = check_config(settings.registration); !good) return std::move(good).error();
    if (auto good = check_new_ca(tx, account, fields); !good) return std::move(good).error();
    auto key = authority_key(tx, fields.id);
    if (!key) return std::move(key).error();
    const RegistrationConfig config = settings.registration.value_or(RegistrationConfig{});
    tx.touch_identities();
    auto made = tx.run(
        "INSERT INTO ca_certificates(key, der, subject, active, auto_registration, mode, "
        "template_name, template_body, role_arn, created, modified, not_before, not_after, "
        "customer_version, generation_id) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, 1, ?13)",
        *key,
        fields.der,
        fields.subject_der,
        settings.active,
        settings.auto_registration,
        static_cast<int>(settings.mode),
        config.template_name,
        config.template_body,
        config.role_arn,
        seconds(now),
        seconds(fields.not_before),
        seconds(fields.not_after),
        new_uuid());
    if (!made) return std::move(made).error();
    return find_ca(tx, fields.id);
}

Result<CaCertificate> find_ca(store::Reader& reader, const CertificateId& id) {
    static const std::string kSql = std::string(kCaCertificates) + "WHERE a.id = ?";
    auto row = reader.query(kSql, id.view());
    if (auto there = expect_row(row, kCaCertificate, id.hex()); !there)
        return std::move(there).error();
    return make_ca(row);
}

Result<std::vector<CaCertificate>> find_cas_by_subject(store::Reader& reader,
                                                       ByteView subject_der) {
    static const std::string kSql =
        std::string(kCaCertificates) + "WHERE c.subject = ? ORDER BY c.key";
    return read_all(reader.query(kSql, subject_der), make_ca);
}

Result<Page<CaCertificate>> list_cas(store::Reader& reader,
                                     const PageRequest& request,
                                     bool ascending) {
    static const std::string kUp =
        std::string(kCaCertificates) + "WHERE c.key > ? ORDER BY c.key LIMIT ?";
    static const std::string kDown =
        std::string(kCaCertificates) + "WHERE c.key < ? ORDER BY c.key DESC LIMIT ?";
    auto after = key_position(request, ascending);
    if (!after) return std::move(after).error();
    return read_page(reader.query(ascending ? kUp : kDown, *after, page_limit(request) + 1),
                     request,
                     Position::Key,
                     make_ca);
}

Result<> update_ca(store::Tx& tx, const CertificateId& id, const CaUpdate& update, Time now) {
    if (update.registration && update.remove_registration) {
        return fail(Code::InvalidRequest,
                    "expected registrationConfig or removeAutoRegistration, found both",
                    "removeAutoRegistration");
    }
    if (auto good = check_config(update.registration); !good) return good;
    auto key = ca_key(tx, id);
    if (!key) return std::move(key).error();
    tx.touch_identities();
    if (update.registration || update.remove_registration) {
        const RegistrationConfig config = update.registration.value_or(RegistrationConfig{});
        auto set = tx.run(
            "UPDATE ca_certificates SET template_name = ?, template_body = ?, "
            "role_arn = ? WHERE key = ?",
            config.template_name,
            config.template_body,
            config.role_arn,
            *key);
        if (!set) return set;
    }
    return tx.run(
        "UPDATE ca_certificates SET active = coalesce(?, active), "
        "auto_registration = coalesce(?, auto_registration), modified = ? WHERE key = ?",
        update.active,
        update.auto_registration,
        seconds(now),
        *key);
}

Result<> delete_ca(store::Tx& tx, const CertificateId& id) {
    auto ca = find_ca(tx, id);
    if (!ca) return std::move(ca).error();
    if (ca->active) {
        return fail(
            Code::CertificateState,
            "CA certificate " + id.hex() + " is ACTIVE, make it INACTIVE before deleting it");
    }
    if (auto gone = forget_tags(tx, "cacert", id.hex()); !gone) return gone;
    tx.touch_identities();
    return tx.run(
        "DELETE FROM ca_certificates WHERE key = (SELECT key FROM authorities WHERE id = ?)",
        id.view());
}

Result<std::string> registration_code(store::Tx& tx) {
    {
        auto row = tx.query("SELECT value FROM meta WHERE name = ?", kRegistrationCode);
        auto there = row.step();
        if (!there) return std::move(there).error();
        if (*there) return std::string(row.text(0));
    }
    std::string code = to_hex(ca::random_bytes(32));
    auto made = tx.run("INSERT INTO meta(name, value) VALUES(?, ?)", kRegistrationCode, code);
    if (!made) return std::move(made).error();
    return code;
}

Result<> delete_registration_code(store::Tx& tx) {
    return tx.run("DELETE FROM meta WHERE name = ?", kRegistrationCode);
}

}  // namespace hatchery::registry
