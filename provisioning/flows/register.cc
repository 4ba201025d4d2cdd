#include "provisioning/flows/register.h"

#include "ca/digest.h"
#include "provisioning/flows/plan.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/things.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace hatchery::flows {

namespace {

using templates::Override;

Error at(Error error, const std::string& logical_name, std::string_view property) {
    error.where = property_pointer(logical_name, property);
    return error;
}

// The template's property that an error of create_thing or update_thing is about: the registry
// names the API's member, or the kind of object that is missing.
Error about_thing(Error error, const templates::ThingRecord& record) {
    std::string_view property = "AttributePayload";
    if (error.where == "thingName") property = "ThingName";
    if (error.where == "thingTypeName") property = "ThingTypeName";
    if (error.code == Code::NotFound) {
        const bool is_billing = error.message.starts_with("billing group");
        property = is_billing ? "BillingGroup" : "ThingTypeName";
    }
    return at(std::move(error), record.logical_name, property);
}

Error conflict(std::string message, const templates::ThingRecord& record, std::string_view what) {
    return fail(Code::Conflict, std::move(message), property_pointer(record.logical_name, what));
}

// The name AWS gives a policy that a template states by document alone: 40 upper-case hexadecimal
// digits, the size of a SHA-1.
std::string name_of_document(std::string_view document) {
    std::string name = to_hex(ca::sha1(bytes_of(document)));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
    });
    return name;
}

std::string name_of_policy(const templates::PolicyRecord& record) {
    if (record.policy_name) return *record.policy_name;
    return name_of_document(record.policy_document.value_or(""));
}

// What the overrides make of an existing thing's attributes (spec: no override means equal values
// are left, missing ones are added, different ones are a conflict).
Result<> plan_attributes(const templates::ThingRecord& record,
                         const registry::Thing& thing,
                         registry::ThingUpdate& update) {
    if (!record.has_attributes || record.on_attributes == Override::DoNothing) return {};
    if (record.on_attributes == Override::Fail) {
        return conflict("thing " + thing.name + " exists already", record, "AttributePayload");
    }
    if (record.on_attributes == Override::Unset) {
        for (const auto& [name, value] : record.attributes) {
            const auto known = thing.attributes.find(name);
            if (known != thing.attributes.end() && known->second != value) {
                return conflict("thing " + thing.name + " has another value for the attribute " +
                                    name + " and the template names no override",
                                record,
                                "AttributePayload");
            }
        }
    }
    const bool replaces = record.on_attributes == Override::Replace;
    const bool is_there =
        std::all_of(record.attributes.begin(), record.attributes.end(), [&](const auto& attribute) {
            const auto known = thing.attributes.find(attribute.first);
            return known != thing.attributes.end() && known->second == attribute.second;
        });
    if (is_there && (!replaces || thing.attributes.size() == record.attributes.size())) return {};
    update.merge_attributes = !replaces;
    update.attributes = record.attributes;
    return {};
}

Result<> plan_thing_type(const templates::ThingRecord& record,
                         const registry::Thing& thing,
                         registry::ThingUpdate& update) {
    if (!record.thing_type || record.on_thing_type == Override::DoNothing) return {};
    if (record.on_thing_type == Override::Fail) {
        return conflict("thing " + thing.name + " exists already", record, "ThingTypeName");
    }
    if (thing.thing_type == record.thing_type) return {};
    if (thing.thing_type && record.on_thing_type != Override::Replace) {
        return conflict("thing " + thing.name + " has the thing type " + *thing.thing_type +
                            ", not " + *record.thing_type + ", and the template names no override",
                        record,
                        "ThingTypeName");
    }
    update.thing_type = record.thing_type;
    return {};
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

Result<> update_values(store::Tx& tx,
                       const templates::ThingRecord& record,
                       const registry::Thing& thing) {
    registry::ThingUpdate update;
    if (auto planned = plan_attributes(record, thing, update); !planned) return planned;
    if (auto planned = plan_thing_type(record, thing, update); !planned) return planned;
    if (!update.attributes && !update.thing_type) return {};
    auto updated = registry::update_thing(tx, thing.name, update);
    if (updated) return {};
    return about_thing(std::move(updated).error(), record);
}

Result<> update_billing_group(store::Tx& tx,
                              const templates::ThingRecord& record,
                              const registry::Thing& thing) {
    if (!record.billing_group || thing.billing_group == record.billing_group) return {};
    if (thing.billing_group) {
        return conflict("thing " + thing.name + " is in the billing group " + *thing.billing_group +
                            ", not " + *record.billing_group,
                        record,
                        "BillingGroup");
    }
    if (auto set = registry::set_billing_group(tx, thing.name, record.billing_group); !set) {
        return at(std::move(set).error(), record.logical_name, "BillingGroup");
    }
    return {};
}

Result<> add_groups(store::Tx& tx,
                    const templates::ThingRecord& record,
                    const registry::Thing& thing) {
    for (const auto& group : record.thing_groups) {
        if (auto added = registry::add_thing_to_group(tx, thing, group); !added) {
            return at(std::move(added).error(), record.logical_name, "ThingGroups");
        }
    }
    return {};
}

Result<> update_groups(store::Tx& tx,
                       const templates::ThingRecord& record,
                       const registry::Thing& thing) {
    if (!record.has_thing_groups || record.on_thing_groups == Override::DoNothing) return {};
    if (record.on_thing_groups == Override::Fail) {
        return conflict("thing " + record.thing_name + " exists already", record, "ThingGroups");
    }
    auto current = registry::groups_of_thing(tx, record.thing_name);
    if (!current) return std::move(current).error();
    const bool has_all = std::all_of(record.thing_groups.begin(),
                                     record.thing_groups.end(),
                                     [&](const auto& name) { return contains(*current, name); });
    if (record.on_thing_groups == Override::Unset && !current->empty() && !has_all) {
        return conflict("thing " + record.thing_name +
                            " is in other thing groups and the template names no override",
                        record,
                        "ThingGroups");
    }
    if (record.on_thing_groups == Override::Replace) {
        for (const auto& group : *current) {
            if (contains(record.thing_groups, group)) continue;
            auto removed = registry::remove_thing_from_group(tx, record.thing_name, group);
            if (!removed) return removed;
        }
    }
    return add_groups(tx, record, thing);
}

// The thing as it was made, or as it was before the overrides.
Result<registry::Thing> apply_thing(store::Tx& tx, const templates::ThingRecord& record) {
    auto made = registry::add_thing(
        tx, {record.thing_name, record.thing_type, record.attributes, record.billing_group});
    if (!made) return about_thing(std::move(made).error(), record);
    if (*made) {
        if (auto done = add_groups(tx, record, **made); !done) return std::move(done).error();
        return std::move(**made);
    }
    auto existing = registry::find_thing(tx, record.thing_name);
    if (!existing) return existing;
    auto done = update_values(tx, record, *existing);
    if (done) done = update_billing_group(tx, record, *existing);
    if (done) done = update_groups(tx, record, *existing);
    if (!done) return std::move(done).error();
    return existing;
}

registry::CertificateStatus wanted_status(const templates::CertificateRecord& record) {
    return record.active ? registry::CertificateStatus::Active
                         : registry::CertificateStatus::Inactive;
}

Result<> apply_certificate_status(store::Tx& tx,
                                  const templates::CertificateRecord& record,
                                  registry::DeviceCertificate& certificate,
                                  Time now) {
    using registry::CertificateStatus;
    const auto wanted = wanted_status(record);
    const auto current = certificate.status;
    const bool is_new = current == CertificateStatus::PendingActivation;
    if (!is_new && record.on_status == Override::Fail) {
        return fail(Code::Conflict,
                    "certificate " + certificate.id.hex() + " exists already",
                    property_pointer(record.logical_name, "Status"));
    }
    if (current == wanted || (!is_new && record.on_status == Override::DoNothing)) return {};
    if (!is_new && record.on_status != Override::Replace) {
        return fail(Code::Conflict,
                    "certificate " + certificate.id.hex() + " is " +
                        std::string(registry::to_string(current)) + ", not " +
                        std::string(registry::to_string(wanted)) +
                        ", and the template names no override",
                    property_pointer(record.logical_name, "Status"));
    }
    return registry::set_certificate_status(tx, certificate, wanted, now);
}

// Finds or makes the policy.
Result<std::shared_ptr<const registry::Policy>> apply_policy(store::Tx& tx,
                                                             const registry::Account& account,
                                                             const templates::PolicyRecord& record,
                                                             Time now) {
    const std::string name = name_of_policy(record);
    auto existing = registry::known_policy(tx, name);
    if (!existing && existing.error().code != Code::NotFound) return existing;
    if (!record.policy_document) {
        if (existing) return existing;
        return at(std::move(existing).error(), record.logical_name, "PolicyName");
    }
    if (!existing) {
        auto created = registry::create_policy(tx, account, name, *record.policy_document, now);
        if (!created) return at(std::move(created).error(), record.logical_name, "PolicyName");
        return registry::known_policy(tx, name);
    }
    if (record.policy_name && (*existing)->document != *record.policy_document) {
        return fail(Code::Conflict,
                    "policy " + name + " exists with another document",
                    property_pointer(record.logical_name, "PolicyDocument"));
    }
    return existing;
}

}  // namespace

Result<registry::DeviceCertificate> add_issued(store::Tx& tx,
                                               const registry::Account& account,
                                               const ca::Certificate& made,
                                               Time now) {
    return registry::add_certificate(tx,
                                     account,
                                     made,
                                     registry::CertificateStatus::PendingActivation,
                                     std::nullopt,
                                     registry::CertificateMode::Default,
                                     now);
}

std::map<std::string, std::string> arns_of(const registry::Account& account,
                                           const templates::Plan& plan,
                                           const std::optional<CertificateId>& certificate) {
    std::map<std::string, std::string> arns;
    if (plan.thing) arns[plan.thing->logical_name] = account.arn("thing", plan.thing->thing_name);
    for (const auto& record : plan.policies)
        arns[record.logical_name] = account.arn("policy", name_of_policy(record));
    const bool is_named = plan.certificate && !plan.certificate->logical_name.empty();
    if (is_named && certificate) {
        arns[plan.certificate->logical_name] = account.arn("cert", certificate->hex());
    }
    return arns;
}

namespace {

// All but the certificate's status. `certificate` is null if the plan has none.
Result<> apply_to(store::Tx& tx,
                  const registry::Account& account,
                  const templates::Plan& plan,
                  const registry::DeviceCertificate* certificate,
                  Time now) {
    std::optional<registry::Thing> thing;
    if (plan.thing) {
        auto done = apply_thing(tx, *plan.thing);
        if (!done) return std::move(done).error();
        thing = std::move(*done);
    }
    for (const auto& record : plan.policies) {
        auto policy = apply_policy(tx, account, record, now);
        if (!policy) return std::move(policy).error();
        if (certificate == nullptr) continue;
        auto done = registry::attach_policy_to_certificate(tx, **policy, *certificate);
        if (!done) return at(std::move(done).error(), record.logical_name, "PolicyName");
    }
    if (certificate == nullptr || !thing) return {};
    const auto& record = *plan.certificate;
    auto attached =
        registry::attach_thing_principal(tx, *thing, *certificate, record.exclusive_thing);
    if (!attached) return at(std::move(attached).error(), record.logical_name, "CertificateId");
    return {};
}

}  // namespace

Result<> apply(store::Tx& tx,
               const registry::Account& account,
               const templates::Plan& plan,
               registry::DeviceCertificate& certificate,
               Time now) {
    if (!plan.certificate) return apply_to(tx, account, plan, nullptr, now);
    if (auto applied = apply_to(tx, account, plan, &certificate, now); !applied) return applied;
    return apply_certificate_status(tx, *plan.certificate, certificate, now);
}

Result<> apply(store::Tx& tx,
               const registry::Account& account,
               const templates::Plan& plan,
               const CertificateId& certificate,
               Time now) {
    if (!plan.certificate) return apply_to(tx, account, plan, nullptr, now);
    auto found = registry::find_certificate(tx, certificate);
    if (!found) return std::move(found).error();
    return apply(tx, account, plan, *found, now);
}

Result<> apply_issued(store::Tx& tx,
                      const registry::Account& account,
                      const templates::Plan& plan,
                      const ca::Certificate& made,
                      Time now) {
    auto added = registry::add_certificate(tx,
                                           account,
                                           made,
                                           wanted_status(*plan.certificate),
                                           std::nullopt,
                                           registry::CertificateMode::Default,
                                           now);
    if (!added) return std::move(added).error();
    return apply_to(tx, account, plan, &*added, now);
}

}  // namespace hatchery::flows
