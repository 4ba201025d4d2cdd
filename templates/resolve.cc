// Template -> Plan: evaluates every expression and checks what came out. Reads nothing but its
// arguments.
#include "templates/program.h"
#include "templates/text.h"
#include "templates/value_rules.h"

namespace hatchery::templates {

namespace {

class Resolver {
  public:
    Resolver(const Template::Impl& program, const Parameters& parameters)
        : program_(program), evaluator_(program.mappings) {
        for (std::size_t i = 0; i < program.parameters.size(); ++i)
            evaluator_.bind(program.slot(i), parameters);
    }

    Result<Plan> run() {
        if (auto complete = check_certificate_parameters(); !complete) {
            return std::move(complete).error();
        }
        Plan plan;
        if (program_.certificate) {
            auto record = certificate(*program_.certificate);
            if (!record) return std::move(record).error();
            plan.certificate = *std::move(record);
        }
        if (program_.thing) {
            auto record = thing(*program_.thing);
            if (!record) return std::move(record).error();
            plan.thing = *std::move(record);
        }
        for (const PolicyProgram& policy_program : program_.policies) {
            auto record = policy(policy_program);
            if (!record) return std::move(record).error();
            plan.policies.push_back(*std::move(record));
        }
        CodeReader configuration(program_.device_configuration);
        while (!configuration.is_at_end()) {
            const std::string_view name = configuration.text();
            auto value = evaluator_.text(configuration);
            if (!value) return std::move(value).error();
            plan.device_configuration.emplace(name, *std::move(value));
            configuration.skip();
        }
        return plan;
    }

    /// Where the error that run() gave stands.
    json::NodeId failed_node() const { return failed_node_.value_or(evaluator_.failed_node()); }

  private:
    /// At a first connect the certificate has to hold a value for every declared parameter, used
    /// or not (Developer Guide, "Just-in-time provisioning").
    Result<> check_certificate_parameters() {
        if (program_.kind != Kind::Jitp) return {};
        for (std::size_t i = 0; i < program_.parameters.size(); ++i) {
            const auto& parameter = program_.parameters[i];
            if (!parameter.is_declared || evaluator_.has_value(i)) continue;
            failed_node_ = parameter.node;
            return fail(Code::InvalidRequest,
                        "Cannot resolve reference value: " + std::string(program_.slot(i).name));
        }
        return {};
    }

    Error at(json::NodeId node, std::string message) {
        failed_node_ = node;
        return fail(Code::InvalidRequest, std::move(message));
    }

    json::NodeId node_of(CodeOffset offset) const { return program_.at(offset).next().node; }

    Result<std::string> checked(CodeOffset offset, const ValueRule& rule) {
        auto value = evaluator_.text(program_.at(offset));
        if (!value) return value;
        if (auto message = violation(rule, *value)) return at(node_of(offset), *std::move(message));
        return value;
    }

    /// Nothing for a property that the template does not have.
    Result<std::optional<std::string>> optional(const std::optional<CodeOffset>& offset,
                                                const ValueRule& rule) {
        if (!offset) return std::optional<std::string>();
        auto value = checked(*offset, rule);
        if (!value) return std::move(value).error();
        return std::optional<std::string>(*std::move(value));
    }

    Result<ThingRecord> thing(const ThingProgram& program) {
        ThingRecord record;
        record.logical_name = program.logical_name;
        record.has_attributes = program.has_attributes;
        record.has_thing_groups = program.thing_groups.has_value();
        record.on_attributes = program.on_attributes;
        record.on_thing_type = program.on_thing_type;
        record.on_thing_groups = program.on_thing_groups;
        auto name = checked(program.thing_name, kThingName);
        if (!name) return std::move(name).error();
        record.thing_name = *std::move(name);
        for (const auto& [attribute, offset] : program.attributes) {
            auto value = checked(offset, kAttributeValue);
            if (!value) return std::move(value).error();
            record.attributes.emplace(attribute, *std::move(value));
        }
        auto type = optional(program.thing_type, kThingTypeName);
        if (!type) return std::move(type).error();
        record.thing_type = *std::move(type);
        auto billing = optional(program.billing_group, kBillingGroupName);
        if (!billing) return std::move(billing).error();
        record.billing_group = *std::move(billing);
        if (program.thing_groups) {
            auto groups = thing_groups(program_.at(*program.thing_groups));
            if (!groups) return std::move(groups).error();
            record.thing_groups = *std::move(groups);
        }
        return record;
    }

    Result<std::vector<std::string>> thing_groups(CodeReader code) {
        auto groups = evaluator_.list(code);
        if (!groups) return groups;
        const Instruction list = code.next();
        if (groups->size() > kMaxThingGroups) {
            return at(list.node,
                      "expected at most " + std::to_string(kMaxThingGroups) +
                          " thing groups, found " + std::to_string(groups->size()));
        }
        const bool is_literal = list.op == Op::List;
        for (const std::string& group : *groups) {
            if (auto message = violation(kThingGroupName, group)) {
                return at(is_literal ? code.next().node : list.node, *std::move(message));
            }
            if (is_literal) code.skip();
        }
        return groups;
    }

    Result<CertificateRecord> certificate(const CertificateProgram& program) {
        CertificateRecord record;
        record.logical_name = program.logical_name;
        record.on_status = program.on_status;
        auto id = optional(program.certificate_id, kCertificateId);
        if (!id) return std::move(id).error();
        record.certificate_id = *std::move(id);
        auto csr = optional(program.certificate_signing_request, kCertificateSigningRequest);
        if (!csr) return std::move(csr).error();
        record.certificate_signing_request = *std::move(csr);
        auto pem = optional(program.certificate_pem, kCertificatePem);
        if (!pem) return std::move(pem).error();
        record.certificate_pem = *std::move(pem);
        auto ca = optional(program.ca_certificate_pem, kCertificatePem);
        if (!ca) return std::move(ca).error();
        record.ca_certificate_pem = *std::move(ca);
        auto active = word(program.status, parse_status, status_violation, true);
        if (!active) return std::move(active).error();
        record.active = *active;
        auto exclusive = word(program.thing_principal_type,
                              parse_thing_principal_type,
                              thing_principal_type_violation,
                              false);
        if (!exclusive) return std::move(exclusive).error();
        record.exclusive_thing = *exclusive;
        return record;
    }

    /// One of two words, or `otherwise` when the property is not there.
    Result<bool> word(const std::optional<CodeOffset>& offset,
                      std::optional<bool> (*parse)(std::string_view),
                      std::string (*complain)(std::string_view),
                      bool otherwise) {
        if (!offset) return otherwise;
        auto text = evaluator_.text(program_.at(*offset));
        if (!text) return std::move(text).error();
        const auto parsed = parse(*text);
        if (!parsed) return at(node_of(*offset), complain(*text));
        return *parsed;
    }

    Result<PolicyRecord> policy(const PolicyProgram& program) {
        PolicyRecord record;
        record.logical_name = program.logical_name;
        auto name = optional(program.policy_name, kPolicyName);
        if (!name) return std::move(name).error();
        record.policy_name = *std::move(name);
        if (!program.policy_document) return record;
        auto document = evaluator_.text(program_.at(*program.policy_document));
        if (!document) return std::move(document).error();
        if (program.is_document_normal) {
            record.policy_document = *std::move(document);
            return record;
        }
        const auto parsed = json::Document::parse(*std::move(document));
        if (!parsed || !(*parsed)->root().is(json::Type::Object)) {
            return at(node_of(*program.policy_document),
                      "expected a policy document, a JSON object, found other text");
        }
        record.policy_document = json::compact((*parsed)->root());
        return record;
    }

    const Template::Impl& program_;
    Evaluator evaluator_;
    std::optional<json::NodeId> failed_node_;  ///< unset: the evaluator knows
};

}  // namespace

Result<Plan> resolve(const Template& value, const Parameters& parameters) {
    Resolver resolver(value.impl(), parameters);
    auto plan = resolver.run();
    if (plan) return plan;
    Error error = std::move(plan).error();
    error.where = value.impl().parsed_again()->pointer(resolver.failed_node());
    return error;
}

}  // namespace hatchery::templates
