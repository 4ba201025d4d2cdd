// Text -> document -> Template: the sections in the order in which they need each other. All
// problems are collected; only text that cannot be read stops it early.
#include "templates/diagnostics.h"
#include "templates/functions.h"
#include "templates/parameter_names.h"
#include "templates/program.h"
#include "templates/resources.h"
#include "templates/text.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

inline constexpr std::size_t kMaxCharacters = 10'240;
constexpr auto kSections =
    std::to_array<std::string_view>({"Parameters", "Mappings", "Resources", "DeviceConfiguration"});
constexpr auto kParameterKeys = std::to_array<std::string_view>({"Type", "Default"});

/// The byte offset behind the first `count` characters.
std::size_t offset_of(std::string_view text, std::size_t count) {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < count && offset < text.size(); ++i) {
        offset += std::max<std::size_t>(1, utf8_length(text.substr(offset)));
    }
    return offset;
}

class TemplateCompiler {
  public:
    TemplateCompiler(std::shared_ptr<const json::Document> document, Kind kind, Report& report)
        : out_(std::make_shared<Template::Impl>(std::move(document))),
          report_(report),
          functions_(kind, *out_->document, out_->parameters, out_->mappings, report) {
        out_->kind = kind;
    }

    std::shared_ptr<Template::Impl> run() {
        const json::Value root = out_->document->root();
        for (const json::NodeId id : out_->document->duplicates()) {
            const json::Value member(*out_->document, id);
            report_.add_at_key(Finding::DuplicateMember,
                               member,
                               "expected each member once, found " + in_quotes(member.key()) +
                                   " again in the same object");
        }
        if (!root.is(json::Type::Object)) {
            report_.add(Finding::WrongSection,
                        root,
                        expected_found("a template, an object", root),
                        root.is(json::Type::String)
                            ? "the text is JSON inside a JSON string: leave out one encoding"
                            : "");
            return nullptr;
        }
        unknown_sections(root);
        if (const auto section = object(root, "Mappings")) mappings(*section);
        if (const auto section = object(root, "Parameters")) parameters(*section);
        if (const auto section = object(root, "Resources")) {
            ResourceCompiler(*out_, functions_, report_).compile(*section);
        }
        if (const auto section = object(root, "DeviceConfiguration")) configuration(*section);
        unused_parameters();
        out_->text = out_->document->text();
        return out_;
    }

  private:
    std::optional<json::Value> object(json::Value parent, std::string_view key) {
        const auto section = parent.find(key);
        if (!section || section->is(json::Type::Object)) return section;
        report_.add(Finding::WrongSection,
                    *section,
                    expected_found(std::string(key) + ", an object", *section));
        return std::nullopt;
    }

    void unknown_sections(json::Value root) {
        report_unknown_members(
            report_, Finding::UnknownSection, root, "a section of the template", kSections);
        if (root.find("Resources")) return;
        for (const json::Value section : root) {
            const bool is_known =
                std::find(kSections.begin(), kSections.end(), section.key()) != kSections.end();
            if (is_known || nearest(section.key(), kSections) != "Resources") continue;
            report_.add_at_key(Finding::NoResources,
                               section,
                               "expected a section Resources, found " + in_quotes(section.key()),
                               did_you_mean(section.key(), kSections));
            return;
        }
        report_.add(
            Finding::NoResources,
            root,
            "expected a section Resources, found none",
            root.find("templateBody") ? "the template is the value of templateBody alone" : "");
    }

    void mappings(json::Value section) {
        for (const json::Value map : section) {
            auto& out = out_->mappings[std::string(map.key())];
            if (!map_level(map, "a map of keys")) continue;
            for (const json::Value top : map) {
                auto& entries = out[std::string(top.key())];
                if (!map_level(top, "a map of keys and strings")) continue;
                for (const json::Value second : top) {
                    if (second.is(json::Type::String)) {
                        entries.emplace(second.key(), second.text());
                        continue;
                    }
                    report_.add(Finding::MappingShape,
                                second,
                                expected_found("a string in Mappings", second));
                    // Known, so that a FindInMap of it is not a second finding.
                    entries.emplace(second.key(), "");
                }
            }
        }
    }

    bool map_level(json::Value value, std::string_view expected) {
        if (value.is(json::Type::Object)) return true;
        report_.add(Finding::MappingShape, value, expected_found(expected, value));
        return false;
    }

    void parameters(json::Value section) {
        for (const json::Value entry : section) {
            Parameter parameter;
            parameter.name = entry.key();
            parameter.node = entry.id();
            if (!entry.is(json::Type::Object)) {
                report_.add(Finding::WrongSection,
                            entry,
                            expected_found("a parameter, an object", entry),
                            "write {\"Type\": \"String\"}");
            } else {
                parameter_members(parameter, entry);
            }
            // Declared even if broken: its Refs are no further findings.
            out_->parameters.push_back(std::move(parameter));
        }
    }

    void parameter_members(Parameter& parameter, json::Value entry) {
        report_unknown_members(report_,
                               Finding::UnknownParameterKey,
                               entry,
                               "a member of a parameter",
                               kParameterKeys);
        const auto type = entry.find("Type");
        if (!type) {
            report_.add_at_key(Finding::ParameterType,
                               entry,
                               "expected \"Type\": \"String\" in the parameter, found no Type");
        } else if (!type->is(json::Type::String) || type->text() != "String") {
            report_.add(Finding::ParameterType,
                        *type,
                        expected_found("the type \"String\"", *type),
                        "write \"String\"");
        }
        const auto value = entry.find("Default");
        if (value && value->is(json::Type::String)) {
            parameter.default_value = value->text();
        } else if (value) {
            const bool is_scalar = value->is(json::Type::Number) || value->is(json::Type::Boolean);
            report_.add(Finding::ParameterDefault,
                        *value,
                        expected_found("a string as the Default", *value),
                        is_scalar ? "write it as " + in_quotes(value->text()) : "");
            return;
        }
        if (!parameter.default_value) check_supplied(parameter, entry);
    }

    /// Who gives a value to a parameter that has no Default?
    void check_supplied(const Parameter& parameter, json::Value entry) {
        const std::string_view name = parameter.name;
        if (name == kCertificateIdParameter || out_->kind == Kind::Bulk) return;
        const bool is_of_certificate = is_certificate_parameter(name);
        if (out_->kind == Kind::Claim) {
            if (!is_of_certificate) return;
            report_.add_at_key(Finding::MayBeMissing,
                               entry,
                               "expected a Default or a parameter that the device sends, found " +
                                   std::string(name) +
                                   ", which is taken from the certificate at a first connect only");
            return;
        }
        if (!is_of_certificate) {
            report_.add_at_key(
                Finding::NeverSupplied,
                entry,
                "expected a Default or a parameter that a certificate gives, found " +
                    in_quotes(name) + ", which no device certificate can supply",
                did_you_mean(name, kCertificateParameters));
            return;
        }
        if (name == kSerialNumberParameter) return;  // every certificate has one
        report_.add_at_key(Finding::MayBeMissing,
                           entry,
                           "expected a Default, found none: a certificate without this attribute "
                           "is refused");
    }

    void configuration(json::Value section) {
        if (out_->kind == Kind::Jitp) {
            report_.add_at_key(Finding::ConfigurationIgnored,
                               section,
                               "expected no DeviceConfiguration in a jitp template, found one that "
                               "no device will receive");
        }
        for (const json::Value entry : section) {
            if (auto value = functions_.text(entry)) {
                out_->device_configuration.emplace_back(entry.key(), *std::move(value));
            }
        }
    }

    void unused_parameters() {
        for (const Parameter& parameter : out_->parameters) {
            if (parameter.is_used) continue;
            report_.add_at_key(
                Finding::UnusedParameter,
                {*out_->document, parameter.node},
                "expected a Ref to the parameter " + in_quotes(parameter.name) + ", found none");
        }
    }

    std::shared_ptr<Template::Impl> out_;
    Report& report_;
    FunctionCompiler functions_;
};

Compiled compile_text(std::string_view text, Kind kind) {
    Report report;
    if (text.size() > kMaxCharacters) {
        const std::size_t count = count_characters(text);
        if (count > kMaxCharacters) {
            const std::size_t offset = offset_of(text, kMaxCharacters);
            report.add(Finding::TooLong,
                       json::range_in(text, offset, offset),
                       "expected a template body of at most " + std::to_string(kMaxCharacters) +
                           " characters, found " + std::to_string(count));
            return {std::nullopt, report.take()};
        }
    }
    auto parsed = json::Document::parse(std::string(text));
    if (!parsed) {
        json::SyntaxError& error = parsed.error();
        report.add(error.too_deep ? Finding::TooDeep : Finding::NotJson,
                   error.range,
                   std::move(error.message),
                   std::move(error.suggestion));
        return {std::nullopt, report.take()};
    }
    auto impl = TemplateCompiler(*std::move(parsed), kind, report).run();
    if (report.has_error()) return {std::nullopt, report.take()};
    impl->document.reset();
    return {Template(std::move(impl)), report.take()};
}

}  // namespace

Compiled compile(std::string_view text, Kind kind) {
    return compile_text(text, kind);
}

bool Template::declares(std::string_view name) const {
    if (name == kCertificateIdParameter && impl_->kind != Kind::Bulk) return true;
    return std::any_of(
        impl_->parameters.begin(), impl_->parameters.end(), [&](const Parameter& parameter) {
            return parameter.is_declared && parameter.name == name;
        });
}

}  // namespace hatchery::templates
