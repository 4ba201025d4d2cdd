#include "provisioning/flows/thing_lifecycle.h"

#include "provisioning/flows/issue.h"
#include "provisioning/registry/escrow.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"

namespace hatchery::flows {

namespace {

templates::Plan plan_of(const ThingWish& wish) {
    templates::Plan plan;
    plan.certificate = templates::CertificateRecord{};
    plan.thing = templates::ThingRecord{};
    plan.thing->logical_name = "thing";
    plan.thing->thing_name = wish.name;
    plan.thing->attributes = wish.attributes;
    plan.thing->has_attributes = true;
    plan.thing->thing_type = wish.thing_type;
    plan.thing->billing_group = wish.billing_group;
    plan.thing->thing_groups = wish.thing_groups;
    plan.thing->has_thing_groups = true;
    for (const std::string& policy : wish.policies) {
        templates::PolicyRecord record;
        record.logical_name = policy;
        record.policy_name = policy;
        plan.policies.push_back(std::move(record));
    }
    return plan;
}

/// Errors speak of no template here.
Error without_pointer(Error error) {
    error.where.clear();
    return error;
}

template <class T>
Result<> only_error(Result<T> looked_up) {
    if (looked_up) return {};
    return std::move(looked_up).error();
}

/// What would be refused after the signature is refused before it.
Result<> check_wish(store::Reader& reader, const ThingWish& wish) {
    auto there = registry::find_thing(reader, wish.name);
    if (there) return fail(Code::AlreadyExists, "thing " + wish.name + " exists already");
    if (there.error().code != Code::NotFound) return std::move(there).error();
    if (wish.thing_type) {
        auto type = only_error(registry::find_thing_type(reader, *wish.thing_type));
        if (!type) return type;
    }
    if (wish.billing_group) {
        auto group = only_error(registry::find_billing_group(reader, *wish.billing_group));
        if (!group) return group;
    }
    for (const std::string& name : wish.thing_groups) {
        if (auto group = only_error(registry::find_thing_group(reader, name)); !group) return group;
    }
    for (const std::string& name : wish.policies) {
        if (auto policy = only_error(registry::find_policy(reader, name)); !policy) return policy;
    }
    return {};
}

Result<> delete_certificate_of(store::Tx& tx,
                               std::string_view thing,
                               const CertificateId& id,
                               DeletedThing& deleted,
                               Time now) {
    auto users = registry::things_of_principal(tx, id);
    if (!users) return std::move(users).error();
    if (users->size() > 1) {
        deleted.kept.push_back(id);
        return registry::detach_thing_principal(tx, thing, id);
    }
    auto certificate = registry::find_certificate(tx, id);
    if (!certificate) return std::move(certificate).error();
    if (certificate->status == registry::CertificateStatus::Active) {
        auto done =
            registry::set_certificate_status(tx, id, registry::CertificateStatus::Inactive, now);
        if (!done) return done;
    }
    if (auto done = registry::detach_thing_principal(tx, thing, id); !done) return done;
    deleted.deleted.push_back(id);
    return registry::delete_certificate(tx, id, true);  // detaches its policies
}

}  // namespace

Result<ca::Certificate> create_thing_with_certificate(Service& service,
                                                      const ThingWish& wish,
                                                      const ca::Csr& csr,
                                                      const ca::Profile& profile,
                                                      std::string_view requester,
                                                      std::string_view escrowed_key,
                                                      Time now) {
    const registry::Account& account = service.settings.account;
    auto checked =
        service.store.read([&](store::Reader& reader) { return check_wish(reader, wish); });
    if (!checked) return std::move(checked).error();
    const templates::Plan plan = plan_of(wish);
    const auto with = [&](store::Tx& tx, const ca::Certificate& made) -> Result<> {
        if (auto still = check_wish(tx, wish); !still) return still;
        auto applied = apply_issued(tx, account, plan, made, now);
        if (!applied) return without_pointer(std::move(applied).error());
        if (escrowed_key.empty()) return {};
        return registry::add_escrowed_key(tx, made.id(), escrowed_key);
    };
    return issue(service.store, service.ledger, service.issuer, csr, profile, requester, now, with);
}

Result<DeletedThing> delete_thing_with_certificates(store::Store& store,
                                                    std::string_view name,
                                                    Time now) {
    return store.write([&](store::Tx& tx) -> Result<DeletedThing> {
        DeletedThing deleted;
        if (auto thing = registry::find_thing(tx, name); !thing) return std::move(thing).error();
        auto principals = registry::principals_of_thing(tx, name);
        if (!principals) return std::move(principals).error();
        for (const CertificateId& id : *principals) {
            auto done = delete_certificate_of(tx, name, id, deleted, now);
            if (!done) return std::move(done).error();
        }
        auto done = registry::delete_thing(tx, name, std::nullopt);
        if (!done) return std::move(done).error();
        return deleted;
    });
}

}  // namespace hatchery::flows
