// Conditions of a rules file, evaluated. This box's own.
#pragma once

#include "ca/certificate.h"
#include "hooks/hook.h"
#include "hooks/pattern.h"

#include <optional>
#include <set>

namespace hatchery::hooks {

/// What a condition looks at.
enum class Subject { Parameter, Certificate, Event };

/// The certificate's fields by their names in a rules file, and what they hold: one value, several
/// (names; one that passes is enough), or none.
struct CertificateField {
    std::string_view name;
    bool is_time;
    std::vector<std::string> (*values)(const ca::Certificate&);
};
const std::vector<CertificateField>& certificate_fields();

/// The event's members by their names in a rules file. "time" is when the device asked.
struct EventField {
    std::string_view name;
    bool is_time;
    std::string (*value)(const HookEvent&);
};
const std::vector<EventField>& event_fields();

/// An event, and its certificate once somebody asks for it.
class Facts {
  public:
    explicit Facts(const HookEvent& event) : event_(event) {}
    const HookEvent& event() const { return event_; }
    /// @errors CertificateInvalid
    Result<const ca::Certificate*> certificate();

  private:
    const HookEvent& event_;
    std::optional<ca::Certificate> certificate_;
};

struct Condition {
    enum class Kind { All, Any, Not, Test };
    Kind kind = Kind::All;
    std::vector<Condition> parts{};
    // Test:
    Subject subject = Subject::Parameter;
    std::string name{};  ///< of the parameter
    const CertificateField* certificate_field = nullptr;
    const EventField* event_field = nullptr;
    std::function<bool(std::string_view value)> test{};
    bool wants_absent = false;  ///< present = false

    /// @errors CertificateInvalid  it needs the certificate, which cannot be read
    Result<bool> holds(Facts& facts) const;
};

/// The decimal digits of a number without leading zeros; nothing for other text. Numbers may have
/// any length: a certificate's serial number has up to 49 digits.
std::optional<std::string_view> decimal(std::string_view text);
bool is_less(std::string_view a, std::string_view b);  ///< of two such texts

/// Times are compared as ISO 8601 texts, which sort as they follow each other.
std::string time_text(Time time);

}  // namespace hatchery::hooks
