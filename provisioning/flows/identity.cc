#include "provisioning/flows/identity.h"

#include "provisioning/flows/trusted_claim.h"
#include "provisioning/registry/revocations.h"

#include <array>
#include <utility>

namespace hatchery::flows {

namespace {

// AWS IoT Developer Guide, "X.509 certificate policy variables".
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kNameVariables{{
    {"DistinguishedNameQualifier", ca::oid::kDnQualifier},
    {"Country", ca::oid::kCountry},
    {"Organization", ca::oid::kOrganization},
    {"OrganizationalUnit", ca::oid::kOrganizationalUnit},
    {"State", ca::oid::kState},
    {"CommonName", ca::oid::kCommonName},
    {"SerialNumber", ca::oid::kSerialNumber},
    {"Title", ca::oid::kTitle},
    {"Surname", ca::oid::kSurname},
    {"GivenName", ca::oid::kGivenName},
    {"Initials", ca::oid::kInitials},
    {"Pseudonym", ca::oid::kPseudonym},
    {"GenerationQualifier", ca::oid::kGenerationQualifier},
}};
constexpr std::size_t kMostValues = 5;  // per attribute, same page

// Values as they are: policy evaluation escapes and limits what a certificate says.
void add_value(policy::Context& context, const std::string& key, std::string_view value) {
    auto& values = context.values[key];
    if (values.size() < kMostValues) values.emplace_back(value);
}

void add_name(policy::Context& context, const std::string& prefix, const ca::Name& name) {
    for (const auto& attribute : name.attributes) {
        if (!attribute.text) continue;
        for (const auto& [variable, oid] : kNameVariables) {
            if (attribute.oid == oid) {
                add_value(context, prefix + std::string(variable), attribute.value);
            }
        }
    }
}

void add_certificate(policy::Context& context, const ca::Certificate& certificate) {
    const auto& fields = certificate.fields();
    add_name(context, "iot:Certificate.Subject.", fields.subject);
    add_name(context, "iot:Certificate.Issuer.", fields.issuer);
    const std::string alternative = "iot:Certificate.Subject.AlternativeName.";
    for (const auto& value : fields.email_addresses)
        add_value(context, alternative + "RFC822Name", value);
    for (const auto& value : fields.dns_names)
        add_value(context, alternative + "DNSName", value);
    for (const auto& value : fields.uris)
        add_value(context, alternative + "UniformResourceIdentifier", value);
    for (const auto& value : fields.ip_addresses)
        add_value(context, alternative + "IPAddress", value);
    context.set("iot:Certificate.SerialNumber", certificate.serial_decimal());

    std::vector<std::string> keys;
    for (const auto& [key, values] : context.values) {
        if (key.starts_with("iot:Certificate.")) keys.push_back(key);
    }
    context.values["iot:Certificate.AvailableKeys"] = std::move(keys);
}

// The thing of this connection: an exclusive attachment wins whatever the client id is, otherwise
// the attached thing that has the client id's name.
Result<> find_connected_thing(store::Reader& reader,
                              const std::vector<registry::AttachedThing>& attached,
                              std::string_view client_id,
                              Identity& identity) {
    const registry::AttachedThing* chosen = nullptr;
    for (const auto& thing : attached) {
        if (thing.exclusive || (chosen == nullptr && thing.name == client_id)) chosen = &thing;
    }
    if (chosen == nullptr) return {};
    auto thing = registry::find_thing(reader, chosen->name);
    if (!thing) return std::move(thing).error();
    identity.thing = std::move(*thing);
    identity.is_exclusive = chosen->exclusive;
    return {};
}

Result<std::vector<registry::Policy>> find_policies(store::Reader& reader,
                                                    const Identity& identity,
                                                    std::string_view client_id) {
    auto policies = registry::policies_of_certificate(reader, identity.certificate);
    // Developer Guide, "Thing groups": a group's policies count only when the client id is the
    // thing's name.
    if (!policies || !identity.thing || identity.thing->name != client_id) return policies;
    auto inherited = registry::policies_of_things_groups(reader, *identity.thing);
    if (!inherited) return inherited;
    for (auto& policy : *inherited)
        policies->push_back(std::move(policy));
    return policies;
}

}  // namespace

namespace {

// A trusted user's claim is no certificate of the account: it has a status and one policy all the
// same. That its five minutes are not over, the certificate's own validity says.
Result<Identity> read_claim_identity(store::Reader& reader, const CertificateId& id) {
    auto claim = registry::find_provisioning_claim(reader, id, Time{});
    if (!claim) return std::move(claim).error();
    Identity identity;
    identity.certificate.id = id;
    identity.certificate.status = registry::CertificateStatus::Active;
    registry::Policy policy;
    policy.name = "(trusted claim for " + claim->template_name + ")";
    policy.document = trusted_claim_policy(claim->template_name);
    identity.policies.push_back(std::move(policy));
    return identity;
}

}  // namespace

Result<Identity> read_identity_in(store::Reader& reader,
                                  registry::DeviceCertificate certificate,
                                  std::string_view client_id) {
    Identity identity;
    identity.certificate = std::move(certificate);
    auto attached = registry::things_of_principal(reader, identity.certificate);
    if (!attached) return std::move(attached).error();
    identity.is_for_any_client_id = attached->empty();
    if (auto found = find_connected_thing(reader, *attached, client_id, identity); !found) {
        return std::move(found).error();
    }
    auto policies = find_policies(reader, identity, client_id);
    if (!policies) return std::move(policies).error();
    identity.policies = std::move(*policies);
    auto renewal = registry::find_renewal(reader, identity.certificate.id);
    if (!renewal && renewal.error().code != Code::NotFound) return std::move(renewal).error();
    identity.is_renewal = renewal.has_value();
    return identity;
}

Result<Identity> read_identity(store::Store& store,
                               const CertificateId& id,
                               std::string_view client_id) {
    // Taken first: a commit between here and the view makes the session read again, not too little.
    const std::uint64_t generation = store.identity_generation();
    auto identity = store.read([&](store::Reader& reader) -> Result<Identity> {
        auto certificate = registry::find_certificate(reader, id);
        if (!certificate && certificate.error().code == Code::NotFound) {
            auto claim = read_claim_identity(reader, id);
            const bool is_claim = claim || claim.error().code != Code::NotFound;
            return is_claim ? std::move(claim) : Result<Identity>(std::move(certificate).error());
        }
        if (!certificate) return std::move(certificate).error();
        if (certificate->status != registry::CertificateStatus::Active)
            return Identity{.certificate = std::move(*certificate), .thing = {}, .policies = {}};
        return read_identity_in(reader, std::move(*certificate), client_id);
    });
    if (identity) identity->generation = generation;
    return identity;
}

policy::Context make_context(const ConnectRequest& request, const Identity& identity) {
    policy::Context context;
    add_certificate(context, request.certificate);
    context.set("aws:SourceIp", request.source_ip);
    if (request.protocol == Protocol::Https) return context;
    context.set("iot:ClientId", request.client_id);
    context.set("iot:Connection.Thing.IsAttached", identity.thing ? "true" : "false");
    if (!identity.thing) return context;
    context.set("iot:Connection.Thing.ThingName", identity.thing->name);
    if (identity.thing->thing_type) {
        context.set("iot:Connection.Thing.ThingTypeName", *identity.thing->thing_type);
    }
    for (const auto& [name, value] : identity.thing->attributes) {
        context.set("iot:Connection.Thing.Attributes[" + name + "]", value);
    }
    return context;
}

}  // namespace hatchery::flows
