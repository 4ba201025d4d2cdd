#include "tools/hatchery/template_case.h"

#include "ca/issuer.h"
#include "ca/key.h"
#include "provisioning/flows/register.h"
#include "provisioning/policy/policy.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/template_files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

namespace hatchery::command {

namespace {

using CaseJson = nlohmann::json;

/// Any time will do: nothing in a template depends on it.
constexpr Time kCaseTime{std::chrono::seconds(1'700'000'000)};

Error wrong_case(std::string message, std::string where) {
    return fail(Code::InvalidRequest, std::move(message), std::move(where));
}

Result<> check_members(const CaseJson& object,
                       const std::string& where,
                       std::initializer_list<std::string_view> known) {
    if (!object.is_object()) return wrong_case("expected an object", where);
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return wrong_case("no member " + one_line(name) + " is known here", where);
        }
    }
    return {};
}

/// Absent members and those of another type are the same to a case's reader: checked before.
std::string text_member(const CaseJson& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<std::map<std::string, std::string>> text_map(const CaseJson& object,
                                                    const char* name,
                                                    const std::string& where) {
    std::map<std::string, std::string> out;
    const auto found = object.find(name);
    if (found == object.end()) return out;
    const Error wrong = wrong_case("expected an object of strings", where + "/" + name);
    if (!found->is_object()) return wrong;
    for (const auto& [key, value] : found->items()) {
        if (!value.is_string()) return wrong;
        out.emplace(key, value.get<std::string>());
    }
    return out;
}

Result<std::vector<std::string>> text_list(const CaseJson& object,
                                           const char* name,
                                           const std::string& where) {
    std::vector<std::string> out;
    const auto found = object.find(name);
    if (found == object.end()) return out;
    const Error wrong = wrong_case("expected a list of strings", where + "/" + name);
    if (!found->is_array()) return wrong;
    for (const auto& value : *found) {
        if (!value.is_string()) return wrong;
        out.push_back(value.get<std::string>());
    }
    return out;
}

struct ThingBefore {
    registry::NewThing thing;
    std::vector<std::string> groups;
};

/// The registry before the device comes.
struct RegistryBefore {
    std::vector<std::string> thing_types, thing_groups, billing_groups;
    std::map<std::string, std::string> policies;  ///< name -> document
    std::vector<ThingBefore> things;
};

constexpr std::string_view kAnyPolicy =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]})";

Result<std::map<std::string, std::string>> policies_before(const CaseJson& before) {
    std::map<std::string, std::string> out;
    const auto found = before.find("policies");
    if (found == before.end()) return out;
    if (found->is_object()) {
        for (const auto& [name, document] : found->items())
            out.emplace(name, document.dump());
        return out;
    }
    const auto names = text_list(before, "policies", "/registry");
    if (!names) return names.error();
    for (const auto& name : *names)
        out.emplace(name, kAnyPolicy);
    return out;
}

Result<ThingBefore> thing_before(const CaseJson& given, const std::string& where) {
    if (auto checked = check_members(
            given,
            where,
            {"thingName", "thingTypeName", "attributes", "thingGroups", "billingGroupName"});
        !checked) {
        return std::move(checked).error();
    }
    ThingBefore out;
    out.thing.name = text_member(given, "thingName");
    if (given.contains("thingTypeName")) out.thing.thing_type = text_member(given, "thingTypeName");
    if (given.contains("billingGroupName")) {
        out.thing.billing_group = text_member(given, "billingGroupName");
    }
    auto attributes = text_map(given, "attributes", where);
    if (!attributes) return std::move(attributes).error();
    out.thing.attributes = *std::move(attributes);
    auto groups = text_list(given, "thingGroups", where);
    if (!groups) return std::move(groups).error();
    out.groups = *std::move(groups);
    return out;
}

Result<RegistryBefore> read_before(const CaseJson& root) {
    RegistryBefore out;
    const CaseJson before = root.value("registry", CaseJson::object());
    const std::string where = "/registry";
    if (auto checked = check_members(
            before, where, {"thingTypes", "thingGroups", "billingGroups", "policies", "things"});
        !checked) {
        return std::move(checked).error();
    }
    for (const auto& [name, target] : {std::pair("thingTypes", &out.thing_types),
                                       std::pair("thingGroups", &out.thing_groups),
                                       std::pair("billingGroups", &out.billing_groups)}) {
        auto names = text_list(before, name, where);
        if (!names) return std::move(names).error();
        *target = *std::move(names);
    }
    auto policies = policies_before(before);
    if (!policies) return std::move(policies).error();
    out.policies = *std::move(policies);
    if (!before.contains("things")) return out;
    if (!before["things"].is_array()) return wrong_case("expected a list", where + "/things");
    for (const auto& thing : before["things"]) {
        auto read = thing_before(thing, where + "/things");
        if (!read) return std::move(read).error();
        out.things.push_back(*std::move(read));
    }
    return out;
}

/// Makes what was there before. @errors those of the registry: the case is wrong
Result<> seed(store::Tx& tx, const registry::Account& account, const RegistryBefore& before) {
    for (const auto& name : before.thing_types) {
        registry::ThingType type;
        type.name = name;
        if (auto made = registry::create_thing_type(tx, account, type, kCaseTime); !made) {
            return std::move(made).error();
        }
    }
    for (const auto& name : before.thing_groups) {
        registry::ThingGroup group;
        group.name = name;
        if (auto made = registry::create_thing_group(tx, account, group, kCaseTime); !made) {
            return std::move(made).error();
        }
    }
    for (const auto& name : before.billing_groups) {
        registry::BillingGroup group;
        group.name = name;
        if (auto made = registry::create_billing_group(tx, account, group, kCaseTime); !made) {
            return std::move(made).error();
        }
    }
    for (const auto& [name, document] : before.policies) {
        if (auto made = registry::create_policy(tx, account, name, document, kCaseTime); !made) {
            return std::move(made).error();
        }
    }
    for (const auto& [thing, groups] : before.things) {
        if (auto made = registry::create_thing(tx, account, thing, kCaseTime); !made) {
            return std::move(made).error();
        }
        for (const auto& group : groups) {
            if (auto added = registry::add_thing_to_group(tx, thing.name, group); !added) {
                return added;
            }
        }
    }
    return {};
}

/// The records of the device, as a case spells them.
Result<CaseJson> records_after(store::Tx& tx,
                               const std::optional<std::string>& thing_name,
                               const CertificateId& id) {
    CaseJson out = CaseJson::object();
    if (thing_name) {
        auto thing = registry::find_thing(tx, *thing_name);
        if (!thing) return std::move(thing).error();
        auto groups = registry::groups_of_thing(tx, *thing_name);
        if (!groups) return std::move(groups).error();
        std::sort(groups->begin(), groups->end());
        CaseJson& record = out["thing"];
        record = {{"thingName", thing->name}, {"thingGroups", *groups}};
        record["attributes"] = CaseJson(thing->attributes);
        if (thing->thing_type) record["thingTypeName"] = *thing->thing_type;
        if (thing->billing_group) record["billingGroupName"] = *thing->billing_group;
    }
    auto certificate = registry::find_certificate(tx, id);
    if (!certificate) return std::move(certificate).error();
    out["certificate"] = {{"status", registry::to_string(certificate->status)}};
    auto policies = registry::policies_of_certificate(tx, id);
    if (!policies) return std::move(policies).error();
    CaseJson& attached = out["policies"] = CaseJson::object();
    for (const auto& policy : *policies)
        attached[policy.name] = CaseJson::parse(policy.document, nullptr, false);
    return out;
}

/// Compares what a case lists; what it does not list may be anything. null = not there.
void compare(const CaseJson& expected,
             const CaseJson* found,
             const std::string& where,
             std::vector<std::string>& differences) {
    const std::string shown = found == nullptr ? "nothing" : found->dump();
    if (expected.is_null()) {
        if (found != nullptr) differences.push_back(where + ": expected nothing, found " + shown);
        return;
    }
    const bool is_record = expected.is_object() && !where.ends_with("/attributes") &&
                           where.find("/policies/") == std::string::npos &&
                           !where.ends_with("/deviceConfiguration");
    if (!is_record || found == nullptr || !found->is_object()) {
        if (found == nullptr || *found != expected) {
            differences.push_back(where + ": expected " + expected.dump() + ", found " + shown);
        }
        return;
    }
    for (const auto& [name, value] : expected.items()) {
        const auto member = found->find(name);
        compare(
            value, member == found->end() ? nullptr : &*member, where + "/" + name, differences);
    }
}

/// A list of names is a set: groups and policies have no order.
CaseJson in_order(CaseJson expected) {
    if (expected.contains("thing") && expected["thing"].is_object() &&
        expected["thing"].contains("thingGroups") && expected["thing"]["thingGroups"].is_array()) {
        auto& groups = expected["thing"]["thingGroups"];
        std::sort(groups.begin(), groups.end());
    }
    return expected;
}

/// A list of policy names instead of documents.
CaseJson names_as_expected(CaseJson found, const CaseJson& expected) {
    const auto policies = expected.find("policies");
    if (policies == expected.end() || !policies->is_array()) return found;
    CaseJson names = CaseJson::array();
    for (const auto& [name, document] : found["policies"].items())
        names.push_back(name);
    found["policies"] = names;
    return found;
}

/// One case, read.
struct Case {
    CaseJson root;
    std::filesystem::path folder;
    std::string at(const std::string& path) const { return (folder / path).string(); }
};

Result<Case> read_case(const std::filesystem::path& file) {
    auto text = read_file(file);
    if (!text) return std::move(text).error();
    Case out{CaseJson::parse(*text, nullptr, false), file.parent_path()};
    if (out.root.is_discarded()) return wrong_case("expected a JSON document", "");
    if (auto checked = check_members(out.root,
                                     "",
                                     {"description",
                                      "template",
                                      "type",
                                      "certificate",
                                      "csr",
                                      "parameters",
                                      "serialNumberSource",
                                      "registry",
                                      "expect"});
        !checked) {
        return std::move(checked).error();
    }
    if (text_member(out.root, "template").empty()) {
        return wrong_case("expected the path of a template", "/template");
    }
    const std::string type = text_member(out.root, "type");
    if (out.root.contains("type") && !parse_template_kind(type)) {
        return wrong_case("expected jitp, claim or bulk", "/type");
    }
    if (!out.root.contains("expect")) return wrong_case("expected a member expect", "");
    if (auto checked =
            check_members(out.root["expect"],
                          "/expect",
                          {"error", "thing", "certificate", "policies", "deviceConfiguration"});
        !checked) {
        return std::move(checked).error();
    }
    const bool wants_error = out.root["expect"].contains("error");
    if (wants_error && !out.root["expect"]["error"].is_string()) {
        return wrong_case("expected a part of the error's text", "/expect/error");
    }
    return out;
}

Result<templates::Parameters> parameters_of(const Case& given, templates::Kind kind) {
    DeviceOptions options;
    const std::string certificate = text_member(given.root, "certificate");
    const std::string csr = text_member(given.root, "csr");
    if (!certificate.empty()) options.certificate = given.at(certificate);
    if (!csr.empty()) options.csr = given.at(csr);
    const std::string source = text_member(given.root, "serialNumberSource");
    if (!source.empty()) options.serial_number = source;
    auto parameters = device_parameters(options);
    if (!parameters) return parameters;
    auto named = text_map(given.root, "parameters", "");
    if (!named) return std::move(named).error();
    for (auto& [name, value] : *named)
        parameters->insert_or_assign(name, value);
    add_stand_in_id(*parameters, kind);
    return parameters;
}

Result<templates::Plan> plan_of(const templates::BodyFindings& body,
                                const templates::Parameters& parameters) {
    auto plan = templates::resolve(*body.value, parameters);
    if (!plan) return plan;
    for (const auto& record : plan->policies) {
        if (!record.policy_document) continue;
        if (auto compiled = policy::compile(*record.policy_document); !compiled) {
            return std::move(compiled).error();
        }
    }
    // As the server does: without a certificate resource the device's own becomes ACTIVE.
    if (!plan->certificate && body.kind != templates::Kind::Bulk) {
        plan->certificate.emplace();
    }
    return plan;
}

std::vector<std::string> judge(const Case& given, const Result<CaseJson>& outcome) {
    const CaseJson& expected = given.root["expect"];
    if (expected.contains("error")) {
        const auto wanted = expected["error"].get<std::string>();
        if (outcome) return {"/expect/error: expected " + wanted + ", found no error"};
        const std::string found = to_string(outcome.error());
        if (found.find(wanted) != std::string::npos) return {};
        return {"/expect/error: expected " + wanted + ", found " + one_line(found)};
    }
    if (!outcome) return {"expected records, found " + one_line(to_string(outcome.error()))};
    std::vector<std::string> differences;
    const CaseJson found = names_as_expected(*outcome, expected);
    compare(in_order(expected), &found, "/expect", differences);
    return differences;
}

}  // namespace

Result<std::unique_ptr<CaseRunner>> CaseRunner::make() {
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    if (!key) return std::move(key).error();
    auto certificate =
        ca::make_root(*key, "hatchery template test", std::chrono::hours(24), kCaseTime);
    if (!certificate) return std::move(certificate).error();
    std::unique_ptr<CaseRunner> runner(new CaseRunner(*std::move(certificate)));
    std::error_code error;
    std::string name = (std::filesystem::temp_directory_path(error) / "hatchery-XXXXXX").string();
    if (error || ::mkdtemp(name.data()) == nullptr) {
        return fail(Code::Unavailable, "cannot make a temporary folder");
    }
    runner->folder_ = name;
    auto store = registry::open(runner->folder_ / "registry.db");
    if (!store) return std::move(store).error();
    runner->store_ = *std::move(store);
    return runner;
}

CaseRunner::~CaseRunner() {
    store_.reset();
    std::error_code ignored;  // a temporary folder that stays is no failure
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<std::vector<std::string>> CaseRunner::run(const std::filesystem::path& file) {
    auto given = read_case(file);
    if (!given) return std::move(given).error();
    auto before = read_before(given->root);
    if (!before) return std::move(before).error();
    const auto body = read_template(given->at(text_member(given->root, "template")),
                                    parse_template_kind(text_member(given->root, "type")));
    if (!body) {
        if (body.error().code != Code::InvalidRequest) return body.error();
        return judge(*given, body.error());
    }
    auto parameters = parameters_of(*given, body->kind);
    if (!parameters) return std::move(parameters).error();
    const auto plan = plan_of(*body, *parameters);
    if (!plan) return judge(*given, plan.error());

    ca::Certificate certificate = stand_in_;
    if (const std::string path = text_member(given->root, "certificate"); !path.empty()) {
        auto pem = read_file(given->at(path));
        if (!pem) return std::move(pem).error();
        auto parsed = ca::Certificate::from_pem(*pem);
        if (!parsed) return std::move(parsed).error();
        certificate = *std::move(parsed);
    }
    const registry::Account account;
    std::optional<Error> wrong;
    std::optional<Result<CaseJson>> outcome;
    // Always undone: the work ends with an error, and the next case finds an empty registry.
    const auto undone = store_->write([&](store::Tx& tx) -> Result<> {
        wrong.reset();
        auto made = seed(tx, account, *before);
        if (!made) {
            wrong = made.error();
            return made;
        }
        auto added = flows::add_issued(tx, account, certificate, kCaseTime);
        if (!added) {
            wrong = added.error();
            return *wrong;
        }
        std::optional<std::string> thing_name;
        if (plan->thing) thing_name = plan->thing->thing_name;
        auto applied = flows::apply(tx, account, *plan, *added, kCaseTime);
        if (applied) {
            outcome = records_after(tx, thing_name, certificate.id());
        } else {
            outcome = Result<CaseJson>(applied.error());
        }
        return fail(Code::Conflict, "undone");
    });
    if (wrong) return wrong_case(wrong->message, "/registry");
    if (!outcome) return undone.error();
    if (*outcome) (**outcome)["deviceConfiguration"] = CaseJson(plan->device_configuration);
    return judge(*given, *outcome);
}

}  // namespace hatchery::command
