// Policies on certificates and thing groups: the present operations and the older principal forms.
#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/registry/policies.h"

#include <nlohmann/json.hpp>

#include <variant>

namespace hatchery::api::policies {
namespace {

using nlohmann::json;

struct Group {
    std::string name;
};
using PolicyTarget = std::variant<CertificateId, Group>;

Result<PolicyTarget> parse_policy_target(const Call& call, std::string_view arn) {
    const auto group = registry::name_from_arn(call.account(), "thinggroup", arn);
    if (!group.empty()) return PolicyTarget(Group{std::string(group)});
    auto id = CertificateId::parse(registry::name_from_arn(call.account(), "cert", arn));
    if (id) return PolicyTarget(*id);
    return fail(Code::InvalidRequest,
                "expected the ARN of a certificate or a thing group of this account, found '" +
                    std::string(arn) + "'",
                "target");
}

Result<PolicyTarget> body_target(const Call& call) {
    auto arn = call.input.text("target");
    if (!arn) return std::move(arn).error();
    return parse_policy_target(call, *arn);
}

Result<PolicyTarget> header_target(const Call& call) {
    auto arn = header_input(call, "x-amzn-iot-principal");
    if (!arn) return std::move(arn).error();
    auto id = certificate_principal(call, *arn);
    if (!id) return std::move(id).error();
    return PolicyTarget(*id);
}

Result<> attach(store::Tx& tx, std::string_view policy, const PolicyTarget& target) {
    if (const auto* group = std::get_if<Group>(&target)) {
        return registry::attach_policy_to_group(tx, policy, group->name);
    }
    return registry::attach_policy_to_certificate(tx, policy, std::get<CertificateId>(target));
}

Result<> detach(store::Tx& tx, std::string_view policy, const PolicyTarget& target) {
    if (const auto* group = std::get_if<Group>(&target)) {
        return registry::detach_policy_from_group(tx, policy, group->name);
    }
    return registry::detach_policy_from_certificate(tx, policy, std::get<CertificateId>(target));
}

Result<std::string> attach_to(const Call& call, const Result<PolicyTarget>& target) {
    if (!target) return target.error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return attach(tx, call.labels[0], *target); }));
}

Result<std::string> detach_from(const Call& call, const Result<PolicyTarget>& target) {
    if (!target) return target.error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return detach(tx, call.labels[0], *target); }));
}

Result<std::string> policies_on(const Call& call, const PolicyTarget& target, bool recursive) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto attached = call.service.store.read([&](store::Reader& reader) {
        if (const auto* group = std::get_if<Group>(&target)) {
            return registry::policies_of_group(reader, group->name, recursive);
        }
        return registry::policies_of_certificate(reader, std::get<CertificateId>(target));
    });
    if (!attached) return std::move(attached).error();
    std::vector<std::string> names;
    names.reserve(attached->size());
    for (auto& policy : *attached)
        names.push_back(std::move(policy.name));
    auto page = page_of(std::move(names), *request);
    json items = json::array();
    for (const auto& name : page.items) {
        items.push_back({{"policyName", name}, {"policyArn", call.arn("policy", name)}});
    }
    json body = {{"policies", std::move(items)}};
    add_token(call, body, "nextMarker", page.next);
    return to_body(body);
}

/// The ARNs that `policy` is attached to, in a page under `member`.
Result<std::string> targets_of(const Call& call,
                               std::string_view policy,
                               const char* member,
                               bool with_groups) {
    auto request = page_by_marker(call);
    if (!request) return std::move(request).error();
    auto targets = call.service.store.read(
        [&](store::Reader& reader) { return registry::targets_of_policy(reader, policy); });
    if (!targets) return std::move(targets).error();
    std::vector<std::string> arns;
    arns.reserve(targets->certificates.size() + targets->thing_groups.size());
    for (const auto& id : targets->certificates)
        arns.push_back(call.arn("cert", id.hex()));
    for (const auto& group : targets->thing_groups) {
        if (with_groups) arns.push_back(call.arn("thinggroup", group));
    }
    auto page = page_of(std::move(arns), *request);
    json body = {{member, page.items}};
    add_token(call, body, "nextMarker", page.next);
    return to_body(body);
}

}  // namespace

Result<std::string> attach_policy(const Call& call) {
    return attach_to(call, body_target(call));
}

Result<std::string> detach_policy(const Call& call) {
    return detach_from(call, body_target(call));
}

Result<std::string> list_attached_policies(const Call& call) {
    auto target = parse_policy_target(call, call.labels[0]);
    if (!target) return std::move(target).error();
    auto recursive = query_flag(call, "recursive", false);
    if (!recursive) return std::move(recursive).error();
    return policies_on(call, *target, *recursive);
}

Result<std::string> list_targets_for_policy(const Call& call) {
    return targets_of(call, call.labels[0], "targets", true);
}

Result<std::string> attach_principal_policy(const Call& call) {
    return attach_to(call, header_target(call));
}

Result<std::string> detach_principal_policy(const Call& call) {
    return detach_from(call, header_target(call));
}

Result<std::string> list_principal_policies(const Call& call) {
    auto target = header_target(call);
    if (!target) return std::move(target).error();
    return policies_on(call, *target, false);
}

Result<std::string> list_policy_principals(const Call& call) {
    auto policy = header_input(call, "x-amzn-iot-policy");
    if (!policy) return std::move(policy).error();
    return targets_of(call, *policy, "principals", false);
}

}  // namespace hatchery::api::policies
