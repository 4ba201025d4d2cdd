#include "templates/resources.h"

#include "templates/parameter_names.h"
#include "templates/text.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

constexpr auto kResourceTypes = std::to_array<std::string_view>(
    {"AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"});
constexpr auto kResourceMembers =
    std::to_array<std::string_view>({"Type", "Properties", "OverrideSettings"});
constexpr auto kThingProperties = std::to_array<std::string_view>(
    {"ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"});
constexpr auto kCertificateProperties = std::to_array<std::string_view>({
    "CertificateId",
    "CertificateSigningRequest",
    "CertificatePem",
    "CACertificatePem",
    "Status",
    "ThingPrincipalType",
});

/// The slots of the parameters that `expression` depends on.
void collect_parameters(const Expression& expression, std::vector<std::uint32_t>& slots) {
    if (expression.op == Op::Parameter) slots.push_back(expression.index);
    for (const Expression& argument : expression.arguments)
        collect_parameters(argument, slots);
}

}  // namespace

void report_unknown_members(Report& report,
                            Finding finding,
                            json::Value object,
                            std::string_view expected,
                            std::span<const std::string_view> known) {
    for (const json::Value member : object) {
        if (std::find(known.begin(), known.end(), member.key()) != known.end()) continue;
        std::string message = "expected ";
        message += expected;
        message += " (";
        for (std::size_t i = 0; i < known.size(); ++i) {
            if (i > 0) message += i + 1 == known.size() ? " or " : ", ";
            message += known[i];
        }
        message += "), found " + in_quotes(member.key());
        report.add_at_key(finding, member, std::move(message), did_you_mean(member.key(), known));
    }
}

void ResourceCompiler::compile(json::Value section) {
    for (const json::Value entry : section)
        resource(entry);
    // The order of members means nothing in JSON: the plan has one of its own.
    std::stable_sort(out_.policies.begin(), out_.policies.end(), [](const auto& a, const auto& b) {
        return a.logical_name < b.logical_name;
    });
    const bool wants_certificate = out_.kind != Kind::Bulk || !out_.policies.empty();
    if (section.size() == 0) {
        report_.add_at_key(Finding::NoResourcesInside,
                           section,
                           "expected at least one resource, found an empty section");
    } else if (!certificate_node_ && wants_certificate) {
        report_.add_at_key(Finding::NoCertificate,
                           section,
                           "expected a resource of type AWS::IoT::Certificate, found none");
    }
}

void ResourceCompiler::resource(json::Value resource) {
    if (!resource.is(json::Type::Object)) {
        report_.add(
            Finding::WrongSection, resource, expected_found("a resource, an object", resource));
        return;
    }
    report_unknown_members(
        report_, Finding::UnknownMember, resource, "a member of a resource", kResourceMembers);
    const auto type = resource.find("Type");
    if (!type || !type->is(json::Type::String)) {
        report_.add_at_key(Finding::ResourceType,
                           type.value_or(resource),
                           type ? expected_found("a resource type", *type)
                                : "expected a member Type in the resource, found none");
        return;
    }
    const auto known = std::find(kResourceTypes.begin(), kResourceTypes.end(), type->text());
    if (known == kResourceTypes.end()) {
        report_.add(Finding::ResourceType,
                    *type,
                    "expected AWS::IoT::Thing, AWS::IoT::Certificate or AWS::IoT::Policy, found " +
                        in_quotes(type->text()),
                    did_you_mean(type->text(), kResourceTypes));
        return;
    }
    const auto properties = resource.find("Properties");
    if (!properties || !properties->is(json::Type::Object)) {
        report_.add_at_key(Finding::WrongSection,
                           properties.value_or(resource),
                           properties ? expected_found("Properties, an object", *properties)
                                      : "expected a member Properties in the resource, found none");
        return;
    }
    if (*known == "AWS::IoT::Thing") return thing(resource, *properties);
    if (*known == "AWS::IoT::Certificate") return certificate(resource, *properties);
    policy(resource, *properties);
}

void ResourceCompiler::illegal(json::NodeId node, std::string message, std::string_view text) {
    std::string hint;
    if (const auto placeholder = find_placeholder(text)) {
        hint = "was the placeholder " + printable(*placeholder) + " left unfilled?";
    } else if (text.empty()) {
        hint = "was a variable unset when the template was written?";
    }
    report_.add(Finding::IllegalValue, {document_, node}, std::move(message), std::move(hint));
}

void ResourceCompiler::check(const ValueRule& rule, const Expression& expression) {
    if (expression.op != Op::Text) return;
    if (auto message = violation(rule, expression.text)) {
        illegal(expression.node, *std::move(message), expression.text);
    }
}

std::optional<Expression> ResourceCompiler::expression(json::Value properties,
                                                       std::string_view name,
                                                       const ValueRule& rule) {
    const auto value = properties.find(name);
    if (!value) return std::nullopt;
    auto compiled = functions_.text(*value);
    if (compiled) check(rule, *compiled);
    return compiled;
}

void ResourceCompiler::thing(json::Value resource, json::Value properties) {
    if (thing_node_) {
        report_.add_at_key(Finding::SecondResource,
                           resource,
                           "expected at most one AWS::IoT::Thing, found another after " +
                               document_.pointer(*thing_node_));
        return;
    }
    thing_node_ = resource.id();
    report_unknown_members(report_,
                           Finding::UnknownProperty,
                           properties,
                           "a property of AWS::IoT::Thing",
                           kThingProperties);
    ThingProgram program;
    program.logical_name = resource.key();
    if (const auto name = expression(properties, "ThingName", kThingName)) {
        program.thing_name = out_.append(*name);
        check_thing_name(*name, *properties.find("ThingName"));
    } else if (!properties.find("ThingName")) {
        report_.add_at_key(Finding::MissingProperty,
                           resource,
                           "expected a property ThingName of AWS::IoT::Thing, found none");
    }
    program.thing_type = property(properties, "ThingTypeName", kThingTypeName);
    program.billing_group = property(properties, "BillingGroup", kBillingGroupName);
    if (const auto payload = properties.find("AttributePayload")) {
        thing_attributes(program, *payload);
        if (program.attributes.size() > kMaxAttributesWithoutType &&
            !properties.find("ThingTypeName")) {
            report_.add_at_key(Finding::ManyAttributes,
                               *payload,
                               "expected at most 3 attributes of a thing without a thing type, "
                               "found " +
                                   std::to_string(program.attributes.size()));
        }
    }
    if (const auto groups = properties.find("ThingGroups")) thing_groups(program, *groups);
    overrides(resource,
              {{"AttributePayload", "ATTRIBUTE_PAYLOAD", true, &program.on_attributes},
               {"ThingTypeName", "THING_TYPE_NAME", false, &program.on_thing_type},
               {"ThingGroups", "THING_GROUPS", true, &program.on_thing_groups}});
    out_.thing = std::move(program);
}

void ResourceCompiler::check_thing_name(const Expression& name, json::Value at) {
    std::vector<std::uint32_t> slots;
    collect_parameters(name, slots);
    if (slots.empty()) {
        report_.add(Finding::NotUnique,
                    at,
                    "expected a thing name that differs between devices, found a constant");
        return;
    }
    const auto is_of_subject = [&](std::uint32_t slot) {
        const std::string_view parameter = parameters_[slot].name;
        return is_certificate_parameter(parameter) && parameter != kSerialNumberParameter &&
               parameter != kCertificateIdParameter;
    };
    const auto first = std::find_if(slots.begin(), slots.end(), is_of_subject);
    if (first == slots.end()) return;
    if (std::all_of(slots.begin(), slots.end(), is_of_subject)) {
        report_.add(Finding::NotUnique,
                    at,
                    "expected a thing name from the serial number or the certificate id, found one "
                    "made of " +
                        parameters_[*first].name + " that several certificates may share",
                    "Ref " + std::string(kSerialNumberParameter));
        return;
    }
    report_.add(Finding::NameCharacters,
                at,
                "expected a thing name that is always made of [a-zA-Z0-9:_-], found one with " +
                    parameters_[*first].name + ", which may hold other characters");
}

void ResourceCompiler::thing_attributes(ThingProgram& program, json::Value payload) {
    if (!payload.is(json::Type::Object)) {
        report_.add(Finding::WrongValue,
                    payload,
                    expected_found("an object of attribute names and values", payload));
        return;
    }
    program.has_attributes = true;
    if (payload.size() > kMaxAttributes) {
        report_.add_at_key(Finding::TooManyEntries,
                           payload,
                           "expected at most " + std::to_string(kMaxAttributes) +
                               " attributes, found " + std::to_string(payload.size()));
    }
    for (const json::Value attribute : payload) {
        const std::string_view name = attribute.key();
        if (name == "Ref" || name.starts_with("Fn::")) {
            report_.add_at_key(Finding::WrongValue,
                               attribute,
                               "expected attribute names and values, found the function " +
                                   in_quotes(name) + " in place of the object",
                               "functions stand at the values: {\"name\": {\"Ref\": …}}");
            continue;
        }
        if (auto message = violation(kAttributeName, name)) {
            report_.add_at_key(Finding::IllegalValue, attribute, *std::move(message));
        }
        if (name == "attributes" && attribute.is(json::Type::Object)) {
            report_.add(Finding::WrongValue,
                        attribute,
                        "expected a string or a function as an attribute's value, found an object",
                        "put the attributes into AttributePayload itself");
            continue;
        }
        auto value = functions_.text(attribute);
        if (!value) continue;
        check(kAttributeValue, *value);
        program.attributes.emplace_back(name, out_.append(*value));
    }
}

void ResourceCompiler::thing_groups(ThingProgram& program, json::Value groups) {
    const auto compiled = functions_.list(groups);
    if (!compiled) return;
    if (compiled->op == Op::List) {
        if (compiled->arguments.size() > kMaxThingGroups) {
            report_.add_at_key(Finding::TooManyEntries,
                               groups,
                               "expected at most " + std::to_string(kMaxThingGroups) +
                                   " thing groups, found " +
                                   std::to_string(compiled->arguments.size()));
        }
        for (const Expression& group : compiled->arguments)
            check(kThingGroupName, group);
    }
    program.thing_groups = out_.append(*compiled);
}

void ResourceCompiler::certificate(json::Value resource, json::Value properties) {
    if (certificate_node_) {
        report_.add_at_key(Finding::SecondResource,
                           resource,
                           "expected at most one AWS::IoT::Certificate, found another after " +
                               document_.pointer(*certificate_node_));
        return;
    }
    certificate_node_ = resource.id();
    report_unknown_members(report_,
                           Finding::UnknownProperty,
                           properties,
                           "a property of AWS::IoT::Certificate",
                           kCertificateProperties);
    CertificateProgram program;
    program.logical_name = resource.key();
    certificate_source(program, resource, properties);
    if (const auto status = properties.find("Status")) {
        const auto compiled = functions_.text(*status);
        program.status = out_.append(compiled);
        if (compiled && compiled->op == Op::Text) {
            const std::string& word = compiled->text;
            const auto is_active = parse_status(word);
            if (!is_active) illegal(status->id(), status_violation(word), word);
            if (is_active == false) {
                report_.add(Finding::Inactive,
                            *status,
                            "expected the status ACTIVE, found " + in_quotes(word) +
                                ": the device is registered but cannot connect");
            }
        }
    }
    if (const auto type = properties.find("ThingPrincipalType")) {
        const auto compiled = functions_.text(*type);
        program.thing_principal_type = out_.append(compiled);
        if (compiled && compiled->op == Op::Text) {
            const std::string& word = compiled->text;
            if (!parse_thing_principal_type(word)) {
                illegal(type->id(), thing_principal_type_violation(word), word);
            }
        }
    }
    overrides(resource, {{"Status", "STATUS", false, &program.on_status}});
    out_.certificate = std::move(program);
}

void ResourceCompiler::certificate_source(CertificateProgram& program,
                                          json::Value resource,
                                          json::Value properties) {
    constexpr std::array<std::string_view, 3> sources = {
        "CertificateId", "CertificateSigningRequest", "CertificatePem"};
    const auto count = std::count_if(sources.begin(), sources.end(), [&](std::string_view name) {
        return properties.find(name).has_value();
    });
    if (count != 1) {
        report_.add_at_key(Finding::CertificateSource,
                           resource,
                           "expected exactly one of CertificateId, CertificateSigningRequest and "
                           "CertificatePem, found " +
                               (count == 0 ? "none" : std::to_string(count)));
    }
    if (out_.kind != Kind::Bulk) {
        for (const std::string_view name : {sources[1], sources[2]}) {
            if (const auto source = properties.find(name)) {
                report_.add_at_key(Finding::SourceNotLegal,
                                   *source,
                                   "expected CertificateId in a " +
                                       std::string(to_string(out_.kind)) + " template, found " +
                                       std::string(name),
                                   "\"CertificateId\": {\"Ref\": \"AWS::IoT::Certificate::Id\"}");
            }
        }
    }
    program.certificate_id = property(properties, "CertificateId", kCertificateId);
    program.certificate_signing_request =
        property(properties, "CertificateSigningRequest", kCertificateSigningRequest);
    program.certificate_pem = property(properties, "CertificatePem", kCertificatePem);
    program.ca_certificate_pem = property(properties, "CACertificatePem", kCertificatePem);
    const auto ca = properties.find("CACertificatePem");
    if (ca && !properties.find("CertificatePem")) {
        report_.add_at_key(Finding::UnknownProperty,
                           *ca,
                           "expected CACertificatePem beside CertificatePem only, found it alone; "
                           "it has no effect");
        program.ca_certificate_pem.reset();
    }
}

void ResourceCompiler::overrides(json::Value resource, std::initializer_list<OverrideKey> keys) {
    const auto settings = resource.find("OverrideSettings");
    if (!settings) return;
    if (!settings->is(json::Type::Object)) {
        report_.add(Finding::WrongSection,
                    *settings,
                    expected_found("OverrideSettings, an object", *settings));
        return;
    }
    std::vector<std::string_view> names;
    for (const OverrideKey& key : keys)
        names.push_back(key.property);
    for (const json::Value entry : *settings) {
        const auto key = std::find_if(keys.begin(), keys.end(), [&](const OverrideKey& known) {
            return entry.key() == known.property || entry.key() == known.prose;
        });
        if (key != keys.end()) {
            override_entry(entry, *key);
            continue;
        }
        report_.add_at_key(
            Finding::OverrideIgnored,
            entry,
            names.empty()
                ? "expected no OverrideSettings on a policy, found " + in_quotes(entry.key())
                : "expected a property that can be overridden, found " + in_quotes(entry.key()),
            did_you_mean(entry.key(), names));
    }
}

void ResourceCompiler::override_entry(json::Value entry, const OverrideKey& key) {
    static constexpr std::array values = {
        Override::DoNothing, Override::Replace, Override::Fail, Override::Merge};
    if (*key.target != Override::Unset) {
        report_.add_at_key(Finding::DuplicateMember,
                           entry,
                           "expected one override of " + std::string(key.property) +
                               ", found it in both spellings");
        return;
    }
    const auto value = std::find_if(values.begin(), values.end(), [&](Override known) {
        return entry.is(json::Type::String) && entry.text() == to_string(known);
    });
    if (value != values.end() && (key.merges || *value != Override::Merge)) {
        *key.target = *value;
        return;
    }
    std::array<std::string_view, values.size()> words;
    std::transform(values.begin(), values.end(), words.begin(), [](Override known) {
        return to_string(known);
    });
    const std::span<const std::string_view> legal(words.data(), key.merges ? 4 : 3);
    report_.add(Finding::OverrideValue,
                entry,
                expected_found(key.merges ? "DO_NOTHING, REPLACE, FAIL or MERGE"
                                          : "DO_NOTHING, REPLACE or FAIL",
                               entry),
                entry.is(json::Type::String) ? did_you_mean(entry.text(), legal) : "");
}

}  // namespace hatchery::templates
