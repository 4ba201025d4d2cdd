#include "templates/diagnostics.h"

#include "templates/text.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace hatchery::templates {

namespace {

using enum Finding;
constexpr Severity kError = Severity::Error;
constexpr Severity kWarning = Severity::Warning;

// In the order of the enumeration. Codes are for ever: scripts filter by them.
constexpr auto kFindings = std::to_array<FindingInfo>({
    {NotJson,
     "T001",
     kError,
     "The text is not one well-formed JSON document (RFC 8259). AWS IoT refuses it when the "
     "template is created. Comments, trailing commas, single quotes and unfilled placeholders are "
     "the usual causes."},
    {TooLong,
     "T002",
     kError,
     "A template body has at most 10240 characters. Shorten it: white space counts, and a large "
     "policy can be created beforehand and named by PolicyName."},
    {TooDeep, "T003", kError, "Brackets are nested deeper than 64 levels."},
    {DuplicateMember,
     "T004",
     kError,
     "An object names the same member twice. Readers differ in which one they keep (RFC 8259 "
     "section 4), so the template has no certain meaning. Remove one."},
    {TooMany, "T005", kError, "Only the first findings are shown. Repair them and run again."},
    {BodyNotAString,
     "T006",
     kError,
     "In the input document of create-provisioning-template, templateBody is a string that holds "
     "JSON, not a JSON object. With jq: jq -n --rawfile b template.json '{templateBody: $b}'."},
    {WrongSection,
     "T101",
     kError,
     "The template, its sections, parameters and resources are JSON objects."},
    {NoResources,
     "T102",
     kError,
     "A template needs a Resources section. Section names are written with a capital letter."},
    {UnknownSection,
     "T103",
     kWarning,
     "Only Parameters, Mappings, Resources and DeviceConfiguration mean something; anything else "
     "is ignored."},
    {ParameterType,
     "T104",
     kError,
     "A parameter is {\"Type\": \"String\"}, with a Default if it may be missing. No other type "
     "exists."},
    {ParameterDefault, "T105", kError, "The Default of a parameter is a string."},
    {UnknownParameterKey,
     "T106",
     kWarning,
     "Only Type and Default are known in a parameter; AllowedValues, NoEcho, Description and "
     "others of CloudFormation have no effect."},
    {UnusedParameter,
     "T107",
     kWarning,
     "No Ref or Fn::Sub uses this parameter. In a first-connect template the certificate must "
     "still hold a value for it, or the registration fails."},
    {MayBeMissing,
     "T108",
     kWarning,
     "A certificate whose subject lacks this attribute is refused at its first connect. Give the "
     "parameter a Default, or make sure that the CA's profile always sets the attribute."},
    {NeverSupplied,
     "T109",
     kError,
     "A first-connect template gets its parameters from the device certificate alone. Only the "
     "eight AWS::IoT::Certificate::* names have a value there; another parameter needs a Default."},
    {MappingShape,
     "T110",
     kError,
     "Mappings is a table of two levels: map name, key, key, string. Functions are not evaluated "
     "in it."},
    {ConfigurationIgnored,
     "T111",
     kWarning,
     "DeviceConfiguration is an answer to RegisterThing; a device that is provisioned by its first "
     "connect never gets it."},
    {UndeclaredRef,
     "T201",
     kError,
     "Ref and Fn::Sub name a parameter that the Parameters section declares. Only "
     "AWS::IoT::Certificate::Id needs no declaration in first-connect and claim templates. "
     "CloudFormation's pseudo-parameters (AWS::Region, AWS::AccountId, …) do not exist here."},
    {UnknownFunction,
     "T202",
     kError,
     "Functions are Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split and Fn::Sub."},
    {FunctionArguments,
     "T203",
     kError,
     "The function's arguments have another shape: {\"Ref\": \"P\"}, {\"Fn::Join\": [\"-\", "
     "[values]]}, {\"Fn::Select\": [index, list]}, {\"Fn::FindInMap\": [map, key, key]}, "
     "{\"Fn::Split\": [\"-\", text]}, {\"Fn::Sub\": \"text ${P}\"} or {\"Fn::Sub\": [\"text "
     "${x}\", {\"x\": value}]}."},
    {MappingMiss, "T204", kError, "The Mappings section has no such map or key."},
    {SelectRange,
     "T205",
     kError,
     "Fn::Select counts from 0; the list has no entry of that number."},
    {FunctionDepth, "T206", kError, "Functions are nested deeper than 16 levels."},
    {WrongValue,
     "T207",
     kError,
     "The place takes another kind of value. Numbers and booleans are written as strings."},
    {SubstitutionSyntax,
     "T208",
     kError,
     "In Fn::Sub, ${Name} is a parameter and ${!Name} stands for the text ${Name}, which is how a "
     "policy variable is written: ${!iot:ClientId}."},
    {ValueTooLarge, "T209", kError, "Evaluating the functions gives more text than any use has."},
    {Placeholder,
     "T210",
     kWarning,
     "The text holds what looks like a placeholder of the language that the template was taken "
     "from (CloudFormation, Terraform, a shell, a template engine). It is not replaced here."},
    {ResourceType,
     "T301",
     kError,
     "A resource is an AWS::IoT::Thing, an AWS::IoT::Certificate or an AWS::IoT::Policy."},
    {SecondResource,
     "T302",
     kError,
     "One registration makes one thing and one certificate; several policies are allowed."},
    {MissingProperty, "T303", kError, "A thing needs a ThingName."},
    {UnknownProperty, "T304", kWarning, "The resource has no such property; it is ignored."},
    {CertificateSource,
     "T305",
     kError,
     "A certificate resource has exactly one of CertificateId, CertificateSigningRequest and "
     "CertificatePem."},
    {SourceNotLegal,
     "T306",
     kError,
     "At a first connect and after a claim the certificate exists already: "
     "\"CertificateId\": {\"Ref\": \"AWS::IoT::Certificate::Id\"}. The other sources are for "
     "RegisterThing and bulk registration."},
    {NoPolicy,
     "T307",
     kError,
     "A policy resource names an existing policy (PolicyName) or brings its document "
     "(PolicyDocument)."},
    {IllegalValue, "T308", kError, "The registry would refuse this value."},
    {NotAPolicy, "T309", kError, "PolicyDocument is a JSON object, or a string that holds one."},
    {OverrideIgnored,
     "T310",
     kWarning,
     "OverrideSettings knows AttributePayload, ThingTypeName and ThingGroups of a thing and Status "
     "of a certificate; policies have none."},
    {OverrideValue,
     "T311",
     kError,
     "An override is DO_NOTHING, REPLACE or FAIL; AttributePayload and ThingGroups also take "
     "MERGE."},
    {TooManyEntries, "T312", kError, "A thing has at most 50 attributes and 10 thing groups."},
    {UnknownMember,
     "T313",
     kWarning,
     "A resource has Type, Properties and OverrideSettings; anything else is ignored."},
    {NotUnique,
     "T401",
     kWarning,
     "Devices that share this attribute's value get the same thing: the second takes over the "
     "first one's. Name things by the serial number, or by a value that your CA keeps unique."},
    {Inactive,
     "T402",
     kWarning,
     "The certificate is registered but cannot connect until somebody sets it ACTIVE."},
    {AllowsEverything,
     "T403",
     kWarning,
     "The policy allows every action on every resource: one stolen device key reads and writes "
     "the whole fleet. Narrow it with ${iot:Connection.Thing.ThingName}."},
    {ManyAttributes,
     "T404",
     kWarning,
     "A thing without a thing type holds 3 attributes; more need a ThingTypeName, or the "
     "registration fails."},
    {NoCertificate,
     "T405",
     kWarning,
     "Without a certificate resource the device's certificate is not activated and the policies "
     "have nothing to be attached to."},
    {NoResourcesInside, "T406", kWarning, "The template makes nothing."},
    {NameCharacters,
     "T407",
     kWarning,
     "A thing name is made of [a-zA-Z0-9:_-] alone. Subject attributes may hold spaces and other "
     "characters (AWS puts a backslash before , + = and the like): such a device is refused at its "
     "first connect. Name things by the serial number, or have your CA's profile check the value."},
    {NotYaml,
     "T007",
     kError,
     "The file is not well-formed YAML, so no template in it can be read. Tabs in the indentation "
     "and unquoted values that begin with { or [ or % are the usual causes."},
    {BodyUnknown,
     "T008",
     kWarning,
     "The template body is known only when the stack is deployed (Ref, Fn::GetAtt, a parameter), "
     "so it is not checked here. Check the file that it comes from."},
    {TypeForgotten,
     "T009",
     kWarning,
     "Without a type a provisioning template becomes FLEET_PROVISIONING, and a type cannot be "
     "changed later. A template whose parameters come from the device certificate is for first "
     "connects: give it the type JITP."},
    {NotEnabled,
     "T010",
     kWarning,
     "A provisioning template is created disabled unless enabled is true: every device is refused "
     "until somebody enables it."},
    {NotInRegistry,
     "T501",
     kError,
     "The template names a thing type, thing group, billing group or policy that the registry "
     "given "
     "by --registry does not have: every device would be refused. Create it first."},
    {DefaultNotInRegistry,
     "T502",
     kWarning,
     "The Default of a parameter names a thing type, thing group, billing group or policy that the "
     "registry given by --registry does not have: a device without a value of its own is refused."},
    {MalformedPolicy,
     "T503",
     kError,
     "The policy document would be refused when the first device comes (MalformedPolicyException): "
     "an unknown element, effect, action form or condition operator, or over 2048 characters."},
    {PolicyAdvice,
     "T504",
     kWarning,
     "The policy allows more, or does less, than its author may think: a wildcard that covers "
     "other "
     "devices, or a statement that never applies, such as iot:Subscribe on topic/ where "
     "topicfilter/ is meant."},
    {TooLarge,
     "T011",
     kError,
     "A compiled template takes at most 32 KB of memory. Only functions without a Ref that "
     "multiply their text, or a body mostly in another script than Latin, come near: write what "
     "the function gives, or shorten the texts."},
});

}  // namespace

const FindingInfo& info(Finding finding) {
    return kFindings.at(static_cast<std::size_t>(finding));
}

static_assert(
    [] {
        for (std::size_t i = 0; i < kFindings.size(); ++i) {
            if (static_cast<std::size_t>(kFindings[i].finding) != i) return false;
        }
        return true;
    }(),
    "kFindings stands in the order of Finding");

std::optional<std::string_view> explain(std::string_view code) {
    for (const FindingInfo& entry : kFindings) {
        if (entry.code == code) return entry.help;
    }
    return std::nullopt;
}

std::string_view to_string(Override value) {
    switch (value) {
        case Override::Unset:
            break;
        case Override::DoNothing:
            return "DO_NOTHING";
        case Override::Replace:
            return "REPLACE";
        case Override::Fail:
            return "FAIL";
        case Override::Merge:
            return "MERGE";
    }
    return "";
}

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::Jitp:
            return "jitp";
        case Kind::Claim:
            return "claim";
        case Kind::Bulk:
            break;
    }
    return "bulk";
}

void Report::keep(Diagnostic diagnostic) {
    has_error_ = has_error_ || diagnostic.severity == Severity::Error;
    if (diagnostics_.size() < kMaxDiagnostics) {
        diagnostics_.push_back(std::move(diagnostic));
    } else if (diagnostics_.size() == kMaxDiagnostics) {
        const FindingInfo& entry = info(Finding::TooMany);
        diagnostic.code = entry.code;
        diagnostic.severity = entry.severity;
        diagnostic.message = "expected a template, found more than " +
                             std::to_string(kMaxDiagnostics) + " problems in it";
        diagnostic.suggestion.clear();
        has_error_ = true;
        diagnostics_.push_back(std::move(diagnostic));
    }
}

void Report::add(Finding finding, json::Value at, std::string message, std::string suggestion) {
    const FindingInfo& entry = info(finding);
    if (is_full()) return;
    keep({std::string(entry.code),
          entry.severity,
          at.document().pointer(at.id()),
          at.document().range(at.node().begin, at.node().end),
          std::move(message),
          std::move(suggestion)});
}

void Report::add_at_key(Finding finding,
                        json::Value at,
                        std::string message,
                        std::string suggestion) {
    const FindingInfo& entry = info(finding);
    if (is_full()) return;
    const bool has_key = at.node().key_end > 0;
    keep({std::string(entry.code),
          entry.severity,
          at.document().pointer(at.id()),
          at.document().range(has_key ? at.node().key_begin : at.node().begin,
                              has_key ? at.node().key_end : at.node().end),
          std::move(message),
          std::move(suggestion)});
}

void Report::add(Finding finding, Range range, std::string message, std::string suggestion) {
    const FindingInfo& entry = info(finding);
    keep({std::string(entry.code),
          entry.severity,
          {},
          range,
          std::move(message),
          std::move(suggestion)});
}

std::vector<Diagnostic> Report::take() {
    std::stable_sort(diagnostics_.begin(), diagnostics_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.range.line, a.range.column) < std::pair(b.range.line, b.range.column);
    });
    // A placeholder in a value that is refused is named there.
    const auto said_twice = [&](const Diagnostic& found) {
        if (found.code != info(Finding::Placeholder).code) return false;
        return std::any_of(diagnostics_.begin(), diagnostics_.end(), [&](const Diagnostic& other) {
            return other.code == info(Finding::IllegalValue).code && other.pointer == found.pointer;
        });
    };
    std::vector<Diagnostic> kept;
    for (const Diagnostic& found : diagnostics_) {
        if (!said_twice(found)) kept.push_back(found);
    }
    diagnostics_.clear();
    return kept;
}

std::string expected_found(std::string_view expected, json::Value found) {
    std::string message = "expected " + std::string(expected) + ", found ";
    if (found.is(json::Type::String)) return message + in_quotes(found.text());
    if (found.is(json::Type::Number)) return message + "the number " + printable(found.text());
    if (found.is(json::Type::Boolean)) return message + "the boolean " + printable(found.text());
    return message + std::string(to_string(found.type()));
}

Error to_error(const Compiled& compiled) {
    for (const Diagnostic& found : compiled.diagnostics) {
        if (found.severity != Severity::Error) continue;
        const std::string position =
            std::to_string(found.range.line) + ":" + std::to_string(found.range.column);
        const std::string where =
            found.pointer.empty() ? position : found.pointer + " (" + position + ")";
        std::string message = "Invalid registration template. ";
        if (found.code == info(Finding::NotJson).code) {
            message += "Template format error: JSON not well-formed with location of [line " +
                       std::to_string(found.range.line) + ", column " +
                       std::to_string(found.range.column) + "]: ";
        }
        message += found.message;
        if (!found.suggestion.empty()) message += " (" + found.suggestion + ")";
        return fail(Code::InvalidRequest, std::move(message), where);
    }
    std::abort();  // the caller broke the precondition
}

}  // namespace hatchery::templates
