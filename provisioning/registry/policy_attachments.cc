#include "provisioning/registry/certificate_rows.h"
#include "provisioning/registry/policy_rows.h"
#include "provisioning/registry/things.h"

namespace hatchery::registry {

namespace {

constexpr std::int64_t kMaxPoliciesOfTarget = 10;
constexpr std::string_view kPoliciesOfCertificate =
    "SELECT policy FROM certificate_policies WHERE certificate = ?";
constexpr std::string_view kPoliciesOfThingsGroups =
    "WITH RECURSIVE up(key) AS (SELECT thing_group FROM thing_group_members WHERE thing = ? "
    "  UNION SELECT g.parent FROM up JOIN thing_groups g ON g.key = up.key "
    "  WHERE g.parent IS NOT NULL) "
    "SELECT policy FROM group_policies WHERE thing_group IN (SELECT key FROM up)";

/// The statements about one kind of target.
struct Attachments {
    std::string_view there_sql, count_sql, insert_sql, delete_sql;
};
constexpr Attachments kOfCertificates{
    "SELECT 1 FROM certificate_policies WHERE certificate = ? AND policy = ?",
    "SELECT count(*) FROM certificate_policies WHERE certificate = ?",
    "INSERT INTO certificate_policies(certificate, policy) VALUES(?, ?)",
    "DELETE FROM certificate_policies WHERE certificate = ? AND policy = ?"};
constexpr Attachments kOfGroups{"SELECT 1 FROM group_policies WHERE thing_group = ? AND policy = ?",
                                "SELECT count(*) FROM group_policies WHERE thing_group = ?",
                                "INSERT INTO group_policies(thing_group, policy) VALUES(?, ?)",
                                "DELETE FROM group_policies WHERE thing_group = ? AND policy = ?"};

/// true: it was not attached before.
Result<bool> attach(store::Tx& tx,
                    const Attachments& of,
                    std::int64_t target,
                    std::int64_t policy) {
    auto there = has_row(tx.query(of.there_sql, target, policy));
    if (!there) return std::move(there).error();
    if (*there) return false;
    auto count = read_count(tx.query(of.count_sql, target));
    if (!count) return std::move(count).error();
    if (*count >= kMaxPoliciesOfTarget)
        return fail(Code::LimitExceeded, "10 policies are attached to the target already");
    auto made = tx.run(of.insert_sql, target, policy);
    if (!made) return std::move(made).error();
    return true;
}

/// true: it was attached before.
Result<bool> detach(store::Tx& tx,
                    const Attachments& of,
                    std::int64_t target,
                    std::int64_t policy) {
    auto gone = tx.run(of.delete_sql, target, policy);
    if (!gone) return std::move(gone).error();
    return tx.changes() > 0;
}

Result<std::vector<Policy>> policies_of_groups_of(store::Reader& reader, std::int64_t thing) {
    // Most fleets attach policies to certificates alone; the way up the groups costs 25 us.
    auto some = has_row(reader.query("SELECT 1 FROM group_policies LIMIT 1"));
    if (!some) return std::move(some).error();
    if (!*some) return std::vector<Policy>{};
    return read_policies(reader, kPoliciesOfThingsGroups, thing);
}

using Change = Result<bool> (*)(store::Tx&, const Attachments&, std::int64_t, std::int64_t);

Result<> change_certificate(store::Tx& tx,
                            std::string_view policy,
                            const CertificateId& id,
                            Change change) {
    auto policy_key = key_of(tx, kPolicy, policy);
    if (!policy_key) return std::move(policy_key).error();
    auto certificate = find_certificate_row(tx, id);
    if (!certificate) return std::move(certificate).error();
    auto changed = change(tx, kOfCertificates, certificate->key, *policy_key);
    if (!changed) return std::move(changed).error();
    if (*changed) touch_sessions_of(tx, *certificate);
    return {};
}

Result<> change_group(store::Tx& tx,
                      std::string_view policy,
                      std::string_view group,
                      Change change) {
    auto policy_key = key_of(tx, kPolicy, policy);
    if (!policy_key) return std::move(policy_key).error();
    auto group_key = key_of(tx, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    auto changed = change(tx, kOfGroups, *group_key, *policy_key);
    if (!changed) return std::move(changed).error();
    if (*changed) tx.touch_identities();
    return {};
}

}  // namespace

Result<> attach_policy_to_certificate(store::Tx& tx,
                                      std::string_view policy,
                                      const CertificateId& id) {
    return change_certificate(tx, policy, id, attach);
}

Result<> attach_policy_to_certificate(store::Tx& tx,
                                      const Policy& policy,
                                      const DeviceCertificate& certificate) {
    std::int64_t* const of_new = tx.count_of_new(tag_of_policies(certificate.key));
    if (of_new == nullptr || *of_new >= kMaxPoliciesOfTarget) {
        auto changed = attach(tx, kOfCertificates, certificate.key, policy.key);
        if (!changed) return std::move(changed).error();
        if (*changed) touch_sessions_of(tx, row_of(certificate));
        return {};
    }
    auto made = tx.run(
        "INSERT INTO certificate_policies(certificate, policy) VALUES(?, ?) "
        "ON CONFLICT DO NOTHING",
        certificate.key,
        policy.key);
    if (made && tx.changes() > 0) ++*of_new;
    return made;
}

Result<> detach_policy_from_certificate(store::Tx& tx,
                                        std::string_view policy,
                                        const CertificateId& id) {
    return change_certificate(tx, policy, id, detach);
}

Result<> attach_policy_to_group(store::Tx& tx, std::string_view policy, std::string_view group) {
    return change_group(tx, policy, group, attach);
}

Result<> detach_policy_from_group(store::Tx& tx, std::string_view policy, std::string_view group) {
    return change_group(tx, policy, group, detach);
}

Result<std::vector<Policy>> policies_of_certificate(store::Reader& reader,
                                                    const CertificateId& id) {
    auto certificate = find_certificate_row(reader, id);
    if (!certificate) return std::move(certificate).error();
    return read_policies(reader, kPoliciesOfCertificate, certificate->key);
}

Result<std::vector<Policy>> policies_of_certificate(store::Reader& reader,
                                                    const DeviceCertificate& certificate) {
    return read_policies(reader, kPoliciesOfCertificate, certificate.key);
}

Result<std::vector<Policy>> policies_of_group(store::Reader& reader,
                                              std::string_view group,
                                              bool inherited) {
    constexpr std::string_view kOwn = "SELECT policy FROM group_policies WHERE thing_group = ?";
    constexpr std::string_view kInherited =
        "WITH RECURSIVE up(key) AS (SELECT ? UNION SELECT g.parent FROM up "
        "  JOIN thing_groups g ON g.key = up.key WHERE g.parent IS NOT NULL) "
        "SELECT policy FROM group_policies WHERE thing_group IN (SELECT key FROM up)";
    auto group_key = key_of(reader, kThingGroup, group);
    if (!group_key) return std::move(group_key).error();
    return read_policies(reader, inherited ? kInherited : kOwn, *group_key);
}

Result<std::vector<Policy>> policies_of_things_groups(store::Reader& reader,
                                                      std::string_view thing) {
    auto thing_key = key_of(reader, kThing, thing);
    if (!thing_key) return std::move(thing_key).error();
    return policies_of_groups_of(reader, *thing_key);
}

Result<std::vector<Policy>> policies_of_things_groups(store::Reader& reader, const Thing& thing) {
    return policies_of_groups_of(reader, thing.key);
}

Result<PolicyTargets> targets_of_policy(store::Reader& reader, std::string_view policy) {
    auto policy_key = key_of(reader, kPolicy, policy);
    if (!policy_key) return std::move(policy_key).error();
    auto certificates = read_all(
        reader.query(
            "SELECT c.id FROM certificate_policies a JOIN certificates c ON c.key = a.certificate "
            "WHERE a.policy = ? ORDER BY c.key",
            *policy_key),
        [](const store::Statement& row) { return id_of(row, 0); });
    if (!certificates) return std::move(certificates).error();
    auto groups =
        read_all(reader.query("SELECT g.name FROM group_policies a JOIN thing_groups g "
                              "ON g.key = a.thing_group WHERE a.policy = ? ORDER BY g.name",
                              *policy_key),
                 [](const store::Statement& row) { return std::string(row.text(0)); });
    if (!groups) return std::move(groups).error();
    return PolicyTargets{std::move(*certificates), std::move(*groups)};
}

}  // namespace hatchery::registry
