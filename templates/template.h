// Provisioning templates: text -> compile -> Template | diagnostics -> resolve(parameters) -> Plan
// | error. Pure: no I/O, no clock, no OpenSSL, no registry. A Plan is plain data: the records to be
// made. In: AWS IoT provisioning template JSON (Developer Guide, "Provisioning templates"). Out:
// Plan, diagnostics. Read first: this file; then compile.cc (document -> Template) and resolve.cc
// (Template -> Plan).
#pragma once

#include "ca/base/error.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::templates {

/// What provisions with the template: first connect, claim or trusted user, RegisterThing and bulk.
enum class Kind { Jitp, Claim, Bulk };
std::string_view to_string(Kind kind);  ///< "jitp", "claim", "bulk"

enum class Severity { Error, Warning };

/// Where a value stands in the template's text; 1-based, columns in bytes; `end_*` is one past the
/// last.
struct Range {
    std::size_t line = 1, column = 1, end_line = 1, end_column = 1;
};

/// One finding. `code` is stable ("T101"); `message` says what was expected and what was found.
struct Diagnostic {
    std::string code;
    Severity severity = Severity::Error;
    std::string pointer;  ///< JSON pointer (RFC 6901), "" = the whole document
    Range range;
    std::string message;
    std::string suggestion;  ///< "did you mean …", or empty
};

using Parameters = std::map<std::string, std::string, std::less<>>;

/// What an existing thing's or certificate's property becomes. Unset = the template names no
/// override.
enum class Override { Unset, DoNothing, Replace, Fail, Merge };
std::string_view to_string(Override value);  ///< "DO_NOTHING" …; "" for Unset

struct ThingRecord {
    std::string logical_name;
    std::string thing_name;
    std::map<std::string, std::string> attributes;
    bool has_attributes = false;  ///< the template has an AttributePayload, even an empty one
    std::optional<std::string> thing_type;
    std::vector<std::string> thing_groups;
    bool has_thing_groups = false;
    std::optional<std::string> billing_group;
    Override on_attributes = Override::Unset;
    Override on_thing_type = Override::Unset;
    Override on_thing_groups = Override::Unset;
};

struct CertificateRecord {
    std::string logical_name;
    /// Exactly one of the three sources is set.
    std::optional<std::string> certificate_id;
    std::optional<std::string> certificate_signing_request;
    std::optional<std::string> certificate_pem;
    std::optional<std::string> ca_certificate_pem;
    bool active = true;  ///< Status
    bool exclusive_thing = false;
    Override on_status = Override::Unset;
};

struct PolicyRecord {
    std::string logical_name;
    std::optional<std::string> policy_name;
    std::optional<std::string> policy_document;  ///< JSON text, functions applied
};

/// The records to be made, in this order: certificate, thing, policies.
struct Plan {
    std::optional<CertificateRecord> certificate;
    std::optional<ThingRecord> thing;
    std::vector<PolicyRecord> policies;
    std::map<std::string, std::string> device_configuration;
};

/// A compiled template; immutable, cheap to copy, safe from any thread.
class Template {
  public:
    class Impl;
    explicit Template(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    const Impl& impl() const { return *impl_; }
    /// Is `name` declared in Parameters, or defined by the service (AWS::IoT::Certificate::Id)?
    bool declares(std::string_view name) const;

  private:
    std::shared_ptr<const Impl> impl_;
};

struct Compiled {
    std::optional<Template> value;  ///< set exactly when no diagnostic is an error
    std::vector<Diagnostic> diagnostics;
};

/// Parses and checks `text`, all problems in one run, in the order of the text.
/// Bounded: over 10,240 characters (not bytes) is one diagnostic; depth is limited.
Compiled compile(std::string_view text, Kind kind);
/// The first error as AWS words it ("Invalid registration template. …"), `where` = JSON pointer and
/// line:column.
/// @pre  `compiled` holds an error
Error to_error(const Compiled& compiled);

/// What a diagnostic's code means and what to do about it, for a person; nothing for an unknown
/// code.
std::optional<std::string_view> explain(std::string_view code);

/// Applies `parameters` (an empty string counts as absent, then Default). Supplied but undeclared
/// ones are ignored.
/// @errors InvalidRequest  "Cannot resolve reference value: X", a name or value AWS refuses;
/// `where` = JSON pointer
Result<Plan> resolve(const Template& value, const Parameters& parameters);

/// Which value AWS::IoT::Certificate::SerialNumber takes: the subject's serialNumber (2.5.4.5), the
/// certificate's serial number in decimal, or the subject's if there is one, else the
/// certificate's.
enum class SerialNumberSource { Auto, Certificate, Subject };
Result<SerialNumberSource> parse_serial_number_source(std::string_view text);

/// What a device certificate says, as far as templates care.
struct CertificateFacts {
    std::string certificate_id;  ///< 64 hexadecimal characters
    std::string serial_decimal;  ///< tbsCertificate.serialNumber
    std::vector<std::pair<std::string, std::string>>
        subject;  ///< (dotted OID, UTF-8 value), in encoding order
};
/// AWS::IoT::Certificate::* parameters of a certificate; the first value of a repeated attribute;
/// special characters backslash-escaped as AWS does (RFC 4514 and "="). Absent attributes are
/// absent here.
Parameters certificate_parameters(const CertificateFacts& facts, SerialNumberSource source);

}  // namespace hatchery::templates
