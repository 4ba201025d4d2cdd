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
    TemplateCompiler(const json::Document& document, Kind kind, Report& report)
        : out_(std::make_shared<Template::Impl>()),
          document_(document),
          report_(report),
          functions_(kind, document, parameters_, mappings_, out_->mappings, report) {
        out_->kind = kind;
        out_->text = document.text();
    }

    std::shared_ptr<Template::Impl> run() {
        const json::Value root = document_.root();
        for (const json::NodeId id : document_.duplicates()) {
            const json::Value member(document_, id);
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
        out_->mappings = table_of(mappings_);
        if (const auto section = object(root, "Parameters")) parameters(*section);
        if (const auto section = object(root, "Resources")) {
            ResourceCompiler(*out_, document_, parameters_, functions_, report_).compile(*section);
        }
        if (const auto section = object(root, "DeviceConfiguration")) configuration(*section);
        unused_parameters();
        for (const Parameter& parameter : parameters_)
            out_->append_parameter(parameter);
        out_->shrink();
        check_size(root);
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
            auto& out = mappings_[std::string(map.key())];
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
            parameters_.push_back(std::move(parameter));
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
            if (const auto value = functions_.text(entry)) {
                append_text(out_->device_configuration, entry.key());
                append_code(out_->device_configuration, *value);
            }
        }
    }

    void unused_parameters() {
        for (const Parameter& parameter : parameters_) {
            if (parameter.is_used) continue;
            report_.add_at_key(
                Finding::UnusedParameter,
                {document_, parameter.node},
                "expected a Ref to the parameter " + in_quotes(parameter.name) + ", found none");
        }
    }

    /// What a server keeps of each template is bounded, whatever the text does.
    void check_size(json::Value root) {
        if (report_.has_error() || out_->memory() <= kMaxKept) return;
        report_.add(Finding::TooLarge,
                    root,
                    "expected a template that takes at most " + std::to_string(kMaxKept) +
                        " bytes when compiled, found one of " + std::to_string(out_->memory()));
    }

    std::shared_ptr<Template::Impl> out_;
    const json::Document& document_;
    std::vector<Parameter> parameters_;
    Mappings mappings_;
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
    auto impl = TemplateCompiler(**parsed, kind, report).run();
    if (report.has_error()) return {std::nullopt, report.take()};
    return {Template(std::move(impl)), report.take()};
}

}  // namespace

Compiled compile(std::string_view text, Kind kind) {
    return compile_text(text, kind);
}

bool Template::declares(std::string_view name) const {
    if (name == kCertificateIdParameter && impl_->kind != Kind::Bulk) return true;
    for (std::size_t i = 0; i < impl_->parameters.size(); ++i) {
        if (impl_->parameters[i].is_declared && impl_->slot(i).name == name) return true;
    }
    return false;
}

}  // namespace hatchery::templates
