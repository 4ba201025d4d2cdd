// The findings: one enumerator each, with its stable code and severity, and the collector that
// compile fills.
#pragma once

#include "templates/json_document.h"
#include "templates/template.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// T0xx text and the file around it, T1xx sections and parameters, T2xx functions and values, T3xx
/// resources, T4xx advice, T5xx registry.
enum class Finding : std::uint8_t {
    NotJson,
    TooLong,
    TooDeep,
    DuplicateMember,
    TooMany,
    BodyNotAString,
    WrongSection,
    NoResources,
    UnknownSection,
    ParameterType,
    ParameterDefault,
    UnknownParameterKey,
    UnusedParameter,
    MayBeMissing,
    NeverSupplied,
    MappingShape,
    ConfigurationIgnored,
    UndeclaredRef,
    UnknownFunction,
    FunctionArguments,
    MappingMiss,
    SelectRange,
    FunctionDepth,
    WrongValue,
    SubstitutionSyntax,
    ValueTooLarge,
    Placeholder,
    ResourceType,
    SecondResource,
    MissingProperty,
    UnknownProperty,
    CertificateSource,
    SourceNotLegal,
    NoPolicy,
    IllegalValue,
    NotAPolicy,
    OverrideIgnored,
    OverrideValue,
    TooManyEntries,
    UnknownMember,
    NotUnique,
    Inactive,
    AllowsEverything,
    ManyAttributes,
    NoCertificate,
    NoResourcesInside,
    NameCharacters,
    NotYaml,
    BodyUnknown,
    TypeForgotten,
    NotEnabled,
    NotInRegistry,
    DefaultNotInRegistry,
    MalformedPolicy,
    PolicyAdvice,
    TooLarge,
};

struct FindingInfo {
    Finding finding;
    std::string_view code;
    Severity severity;
    std::string_view help;  ///< what it means and what to do, for a person
};
const FindingInfo& info(Finding finding);

/// Findings kept at most; a hostile text has a problem in every byte.
inline constexpr std::size_t kMaxDiagnostics = 100;

/// Collects what compile finds in one document.
class Report {
  public:
    /// At the value itself.
    void add(Finding finding, json::Value at, std::string message, std::string suggestion = {});
    /// At the name of the member that `at` is.
    void add_at_key(Finding finding,
                    json::Value at,
                    std::string message,
                    std::string suggestion = {});
    /// Without a document: the text as a whole could not be read.
    void add(Finding finding, Range range, std::string message, std::string suggestion = {});
    bool has_error() const { return has_error_; }
    /// Nothing more is kept: a costly suggestion need not be looked for.
    bool is_full() const { return diagnostics_.size() > kMaxDiagnostics; }
    /// The findings in the order of the text.
    std::vector<Diagnostic> take();

  private:
    void keep(Diagnostic diagnostic);
    std::vector<Diagnostic> diagnostics_;
    bool has_error_ = false;
};

/// `expected an object, found a string` and its like.
std::string expected_found(std::string_view expected, json::Value found);

}  // namespace hatchery::templates
