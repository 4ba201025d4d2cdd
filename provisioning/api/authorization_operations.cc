// What policies say of a principal: TestAuthorization, GetEffectivePolicies.
#include "provisioning/api/operations.h"
#include "provisioning/flows/authorization.h"

#include <nlohmann/json.hpp>

#include <set>

namespace hatchery::api::authorization {
namespace {

using nlohmann::json;

/// The principal of the body: a certificate's or a thing group's ARN, or none.
Result<flows::AuthorizationSubject> read_principal(const Call& call) {
    flows::AuthorizationSubject subject;
    if (call.input.has("cognitoIdentityPoolId")) {
        return fail(Code::InvalidRequest,
                    "expected no Cognito identity pool: there is none here",
                    "/cognitoIdentityPoolId");
    }
    auto principal = call.input.optional_text("principal");
    if (!principal) return std::move(principal).error();
    if (!*principal) return subject;
    const auto group = registry::name_from_arn(call.account(), "thinggroup", **principal);
    if (!group.empty()) {
        subject.thing_group = std::string(group);
        return subject;
    }
    auto id = certificate_principal(call, **principal);
    if (!id) return fail(id.error().code, id.error().message, "/principal");
    subject.certificate = *id;
    return subject;
}

struct Question {
    std::optional<policy::Action> action;  ///< PUBLISH … of the body
    std::string action_text;
    std::vector<std::string> resources;
};

Result<std::vector<Question>> read_questions(const Call& call) {
    auto items = call.input.objects("authInfos");
    if (!items) return std::move(items).error();
    if (items->empty()) {
        return fail(Code::InvalidRequest, "expected 1 to 10 items, found 0", "/authInfos");
    }
    std::vector<Question> questions;
    for (const auto& item : *items) {
        Question question;
        auto action = item.text("actionType");
        if (!action) return std::move(action).error();
        question.action_text = *action;
        question.action = policy::parse_action(*action);
        auto resources = item.texts("resources");
        if (!resources) return std::move(resources).error();
        if (resources->empty()) {
            return fail(Code::InvalidRequest, "expected at least one resource", "/authInfos");
        }
        question.resources = std::move(*resources);
        questions.push_back(std::move(question));
    }
    return questions;
}

json policy_reference(const Call& call, const registry::Policy& policy) {
    return {{"policyName", policy.name}, {"policyArn", call.arn("policy", policy.name)}};
}

json references(const Call& call,
                const flows::SubjectPolicies& subject,
                const std::set<std::size_t>& indexes) {
    json list = json::array();
    for (const std::size_t index : indexes)
        list.push_back(policy_reference(call, subject.policies[index]));
    return {{"policies", std::move(list)}};
}

/// All resources of a question together: one that is denied denies it.
json answer(const Call& call, const flows::SubjectPolicies& subject, const Question& question) {
    std::set<std::size_t> allowing, denying, silent;
    std::set<std::string> missing;
    auto worst = policy::Effect::Allowed;
    for (const auto& resource : question.resources) {
        const auto explained = policy::explain(
            subject.documents, {question.action.value(), resource}, subject.context);
        std::set<std::size_t> spoke;
        for (const auto& one : explained.statements) {
            missing.insert(one.unset.begin(), one.unset.end());
            if (one.outcome != policy::Outcome::Applies) continue;
            spoke.insert(one.document);
            (one.is_deny ? denying : allowing).insert(one.document);
        }
        for (std::size_t index = 0; index < subject.documents.size(); ++index) {
            if (!spoke.contains(index)) silent.insert(index);
        }
        const auto effect = explained.decision.effect;
        if (effect == policy::Effect::ExplicitDeny || worst == policy::Effect::Allowed)
            worst = effect;
    }
    return {{"authInfo", {{"actionType", question.action_text}, {"resources", question.resources}}},
            {"allowed", references(call, subject, allowing)},
            {"denied",
             {{"implicitDeny", references(call, subject, silent)},
              {"explicitDeny", references(call, subject, denying)}}},
            {"authDecision", policy::to_string(worst)},
            {"missingContextValues", missing}};
}

}  // namespace

Result<std::string> test_authorization(const Call& call) {
    auto subject = read_principal(call);
    if (!subject) return std::move(subject).error();
    subject->client_id = query_text(call, "clientId").value_or("");
    auto questions = read_questions(call);
    if (!questions) return std::move(questions).error();
    auto add = call.input.texts("policyNamesToAdd");
    if (!add) return std::move(add).error();
    auto skip = call.input.texts("policyNamesToSkip");
    if (!skip) return std::move(skip).error();
    auto policies = flows::read_subject(call.service, *subject, *add, *skip);
    if (!policies) return std::move(policies).error();
    json results = json::array();
    for (const auto& question : *questions)
        results.push_back(answer(call, *policies, question));
    return to_body({{"authResults", std::move(results)}});
}

Result<std::string> get_effective_policies(const Call& call) {
    auto subject = read_principal(call);
    if (!subject) return std::move(subject).error();
    subject->group_policies_of = query_text(call, "thingName");
    if (!subject->certificate && !subject->thing_group && !subject->group_policies_of) {
        return fail(Code::InvalidRequest, "expected a principal or a thingName", "/principal");
    }
    auto policies = flows::read_subject(call.service, *subject, {}, {});
    if (!policies) return std::move(policies).error();
    json items = json::array();
    for (const auto& policy : policies->policies) {
        json item = policy_reference(call, policy);
        item["policyDocument"] = policy.document;
        items.push_back(std::move(item));
    }
    return to_body({{"effectivePolicies", std::move(items)}});
}

}  // namespace hatchery::api::authorization
