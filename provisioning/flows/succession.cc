#include "provisioning/flows/succession.h"

#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"

#include <algorithm>

namespace hatchery::flows {

namespace {

bool same_name(const ca::Name& a, const ca::Name& b) {
    return std::ranges::equal(
        a.attributes, b.attributes, [](const ca::NameAttribute& x, const ca::NameAttribute& y) {
            return x.oid == y.oid && x.value == y.value && x.rdn == y.rdn;
        });
}

}  // namespace

Result<> check_same_names(const ca::Certificate& present, const ca::Csr& csr) {
    const auto& now = present.fields();
    const auto& next = csr.fields();
    if (!same_name(now.subject, next.subject)) {
        return fail(Code::InvalidRequest,
                    "expected the subject of the present certificate, \"" +
                        now.subject.to_string() + "\", found \"" + next.subject.to_string() + "\"",
                    "CSR.subject");
    }
    if (now.dns_names == next.dns_names && now.ip_addresses == next.ip_addresses &&
        now.email_addresses == next.email_addresses && now.uris == next.uris) {
        return {};
    }
    return fail(Code::InvalidRequest,
                "expected the alternative names of the present certificate",
                "CSR.subjectAltName");
}

Result<> take_over(store::Tx& tx,
                   const registry::Account& account,
                   const CertificateId& old_id,
                   const ca::Certificate& next,
                   Time now) {
    auto old = registry::find_certificate(tx, old_id);
    // Not known yet: it has never connected, and the new one will connect in its place.
    if (!old) return old.error().code == Code::NotFound ? Result<>{} : std::move(old).error();
    auto before = ca::Certificate::from_der(old->der);
    if (!before) return std::move(before).error();
    // Another CA may sign the next one, and which CAs are registered how says nothing of ours.
    const bool same_ca = before->fields().issuer_der == next.fields().issuer_der;
    auto added = registry::add_certificate(tx,
                                           account,
                                           next,
                                           registry::CertificateStatus::Active,
                                           same_ca ? old->ca_id : std::nullopt,
                                           same_ca ? old->mode : registry::CertificateMode::Default,
                                           now);
    if (!added) return std::move(added).error();
    auto policies = registry::policies_of_certificate(tx, old_id);
    if (!policies) return std::move(policies).error();
    for (const auto& policy : *policies) {
        auto attached = registry::attach_policy_to_certificate(tx, policy.name, next.id());
        if (!attached) return attached;
    }
    auto things = registry::things_of_principal(tx, old_id);
    if (!things) return std::move(things).error();
    for (const auto& thing : *things) {
        auto on = registry::attach_thing_principal(tx, thing.name, next.id(), thing.exclusive);
        if (!on) return on;
    }
    return {};
}

}  // namespace hatchery::flows
