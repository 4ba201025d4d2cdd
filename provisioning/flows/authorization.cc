#include "provisioning/flows/authorization.h"

#include "provisioning/flows/identity.h"

#include <algorithm>

namespace hatchery::flows {

namespace {

void add_once(std::vector<registry::Policy>& policies, std::vector<registry::Policy> more) {
    for (auto& policy : more) {
        const bool is_there = std::any_of(
            policies.begin(), policies.end(), [&](const auto& p) { return p.key == policy.key; });
        if (!is_there) policies.push_back(std::move(policy));
    }
}

/// The certificate's part: its own policies, its thing's groups', and the variables it gives.
Result<> read_certificate(store::Reader& reader,
                          const AuthorizationSubject& asked,
                          SubjectPolicies& subject) {
    auto stored = registry::find_certificate(reader, *asked.certificate);
    if (!stored) return std::move(stored).error();
    auto certificate = ca::Certificate::from_der(stored->der);
    if (!certificate) return std::move(certificate).error();
    auto identity = read_identity_in(reader, std::move(*stored), asked.client_id);
    if (!identity) return std::move(identity).error();
    ConnectRequest request{.certificate = std::move(*certificate),
                           .chain = {},
                           .client_id = asked.client_id,
                           .source_ip = {},
                           .will_topic = {}};
    subject.context = make_context(request, *identity);
    subject.context.values.erase("aws:SourceIp");  // nobody has connected
    if (asked.client_id.empty()) subject.context.values.erase("iot:ClientId");
    add_once(subject.policies, std::move(identity->policies));
    return {};
}

Result<> read_groups(store::Reader& reader,
                     const AuthorizationSubject& asked,
                     SubjectPolicies& subject) {
    if (asked.thing_group) {
        auto policies = registry::policies_of_group(reader, *asked.thing_group, true);
        if (!policies) return std::move(policies).error();
        add_once(subject.policies, std::move(*policies));
    }
    if (asked.group_policies_of) {
        auto policies = registry::policies_of_things_groups(reader, *asked.group_policies_of);
        if (!policies) return std::move(policies).error();
        add_once(subject.policies, std::move(*policies));
    }
    return {};
}

}  // namespace

Result<SubjectPolicies> read_subject(Service& service,
                                     const AuthorizationSubject& asked,
                                     const std::vector<std::string>& add,
                                     const std::vector<std::string>& skip) {
    SubjectPolicies subject;
    auto read = service.store.read([&](store::Reader& reader) -> Result<> {
        if (asked.certificate) {
            if (auto good = read_certificate(reader, asked, subject); !good) return good;
        } else if (!asked.client_id.empty()) {
            subject.context.set("iot:ClientId", asked.client_id);
        }
        if (auto good = read_groups(reader, asked, subject); !good) return good;
        for (const auto& name : add) {
            auto policy = registry::find_policy(reader, name);
            if (!policy) return std::move(policy).error();
            add_once(subject.policies, {std::move(*policy)});
        }
        return {};
    });
    if (!read) return std::move(read).error();
    std::erase_if(subject.policies, [&](const registry::Policy& policy) {
        return std::find(skip.begin(), skip.end(), policy.name) != skip.end();
    });
    for (const auto& policy : subject.policies) {
        auto document = service.compiled.policy_document(policy.document);
        if (!document) return std::move(document).error();
        subject.documents.push_back(std::move(*document));
    }
    return subject;
}

}  // namespace hatchery::flows
