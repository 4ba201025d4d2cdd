#include "templates/references.h"

#include "templates/diagnostics.h"
#include "templates/program.h"
#include "templates/text.h"

namespace hatchery::templates {

namespace {

class ReferenceCollector {
  public:
    explicit ReferenceCollector(const Template::Impl& program)
        : program_(program), document_(program.parsed_again()) {}

    std::vector<Reference> run() {
        if (const auto& thing = program_.thing) {
            add(ReferenceKind::ThingType, thing->thing_type);
            add(ReferenceKind::BillingGroup, thing->billing_group);
            if (thing->thing_groups) add_groups(program_.at(*thing->thing_groups));
        }
        for (const PolicyProgram& policy : program_.policies) {
            if (!policy.policy_document) add(ReferenceKind::Policy, policy.policy_name);
        }
        return std::move(found_);
    }

  private:
    void add(ReferenceKind kind, const std::optional<CodeOffset>& offset) {
        if (offset) add(kind, program_.at(*offset).next());
    }

    void add_groups(CodeReader code) {
        const Instruction groups = code.next();
        if (groups.op != Op::List) return;
        for (std::uint32_t i = 0; i < groups.count; ++i) {
            add(ReferenceKind::ThingGroup, CodeReader(code).next());
            code.skip();
        }
    }

    void add(ReferenceKind kind, const Instruction& name) {
        const json::Node& node = document_->node(name.node);
        const Range range = document_->range(node.begin, node.end);
        const std::string pointer = document_->pointer(name.node);
        if (name.op == Op::Text) {
            found_.push_back({kind, std::string(name.text), false, pointer, range});
        } else if (name.op == Op::Parameter) {
            const auto value = program_.slot(name.index).default_value;
            if (value && !value->empty()) {
                found_.push_back({kind, std::string(*value), true, pointer, range});
            }
        }
    }

    const Template::Impl& program_;
    std::shared_ptr<const json::Document> document_;
    std::vector<Reference> found_;
};

}  // namespace

std::string_view to_string(ReferenceKind kind) {
    switch (kind) {
        case ReferenceKind::ThingType:
            return "thing type";
        case ReferenceKind::ThingGroup:
            return "thing group";
        case ReferenceKind::BillingGroup:
            return "billing group";
        case ReferenceKind::Policy:
            break;
    }
    return "policy";
}

std::vector<Reference> references(const Template& value) {
    return ReferenceCollector(value.impl()).run();
}

Diagnostic missing_reference(const Reference& missing) {
    const FindingInfo& entry =
        info(missing.is_default ? Finding::DefaultNotInRegistry : Finding::NotInRegistry);
    return {std::string(entry.code),
            entry.severity,
            missing.pointer,
            missing.range,
            "expected a " + std::string(to_string(missing.kind)) + " of the registry, found " +
                (missing.is_default ? "the Default " : "") + in_quotes(missing.name) +
                ", which does not exist",
            {}};
}

std::vector<PolicyText> policy_texts(const Template& value) {
    const Template::Impl& program = value.impl();
    std::vector<PolicyText> found;
    const auto document_of_text = program.parsed_again();
    for (const PolicyProgram& policy : program.policies) {
        if (!policy.policy_document) continue;
        const Instruction document = program.at(*policy.policy_document).next();
        if (document.op != Op::Text) continue;
        const json::Node& node = document_of_text->node(document.node);
        found.push_back({std::string(document.text),
                         document_of_text->pointer(document.node),
                         document_of_text->range(node.begin, node.end)});
    }
    return found;
}

Diagnostic policy_finding(const PolicyText& policy, Severity severity, std::string message) {
    const FindingInfo& entry =
        info(severity == Severity::Error ? Finding::MalformedPolicy : Finding::PolicyAdvice);
    return {std::string(entry.code),
            entry.severity,
            policy.pointer,
            policy.range,
            std::move(message),
            {}};
}

}  // namespace hatchery::templates
