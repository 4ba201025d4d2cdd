#include "hooks/condition.h"

#include "ca/digest.h"

#include <algorithm>

namespace hatchery::hooks {

namespace {

std::vector<std::string> attribute_values(const ca::Certificate& certificate,
                                          std::string_view oid) {
    std::vector<std::string> values;
    for (const auto& attribute : certificate.fields().subject.attributes) {
        if (attribute.text && attribute.oid == oid) values.push_back(attribute.value);
    }
    return values;
}

using Values = std::vector<std::string>;

}  // namespace

const std::vector<CertificateField>& certificate_fields() {
    using C = ca::Certificate;
    static const std::vector<CertificateField> kFields{
        {"common_name", false, [](const C& c) { return attribute_values(c, "2.5.4.3"); }},
        {"serial_number", false, [](const C& c) { return attribute_values(c, "2.5.4.5"); }},
        {"country", false, [](const C& c) { return attribute_values(c, "2.5.4.6"); }},
        {"locality", false, [](const C& c) { return attribute_values(c, "2.5.4.7"); }},
        {"state", false, [](const C& c) { return attribute_values(c, "2.5.4.8"); }},
        {"organization", false, [](const C& c) { return attribute_values(c, "2.5.4.10"); }},
        {"organizational_unit", false, [](const C& c) { return attribute_values(c, "2.5.4.11"); }},
        {"dn_qualifier", false, [](const C& c) { return attribute_values(c, "2.5.4.46"); }},
        {"subject", false, [](const C& c) { return Values{c.fields().subject.to_string()}; }},
        {"issuer", false, [](const C& c) { return Values{c.fields().issuer.to_string()}; }},
        {"certificate_serial_number", false, [](const C& c) { return Values{c.serial_decimal()}; }},
        {"key_algorithm", false, [](const C& c) { return Values{c.fields().key_algorithm}; }},
        {"key_bits", false, [](const C& c) { return Values{std::to_string(c.fields().key_bits)}; }},
        {"curve", false, [](const C& c) { return Values{c.fields().curve}; }},
        {"signature_algorithm",
         false,
         [](const C& c) { return Values{c.fields().signature_algorithm}; }},
        {"public_key_sha256",
         false,
         [](const C& c) { return Values{to_hex(ca::sha256(c.fields().public_key_der))}; }},
        {"dns_name", false, [](const C& c) { return c.fields().dns_names; }},
        {"not_before", true, [](const C& c) { return Values{time_text(c.fields().not_before)}; }},
        {"not_after", true, [](const C& c) { return Values{time_text(c.fields().not_after)}; }}};
    return kFields;
}

const std::vector<EventField>& event_fields() {
    using E = HookEvent;
    static const std::vector<EventField> kFields{
        {"client_id", false, [](const E& e) { return e.client_id; }},
        {"certificate_id", false, [](const E& e) { return e.certificate_id; }},
        {"claim_certificate_id", false, [](const E& e) { return e.claim_certificate_id; }},
        {"template",
         false,
         [](const E& e) { return e.template_arn.substr(e.template_arn.rfind('/') + 1); }},
        {"time", true, [](const E& e) { return time_text(e.now); }}};
    return kFields;
}

Result<const ca::Certificate*> Facts::certificate() {
    if (!certificate_) {
        auto parsed = ca::Certificate::from_pem(event_.certificate_pem);
        if (!parsed) return std::move(parsed).error();
        certificate_ = std::move(*parsed);
    }
    return &*certificate_;
}

Result<bool> Condition::holds(Facts& facts) const {
    if (kind == Kind::Test) {
        Values values;
        if (subject == Subject::Parameter) {
            const auto found = facts.event().parameters.find(name);
            if (found == facts.event().parameters.end()) return wants_absent;
            return !wants_absent && test(found->second);
        }
        if (subject == Subject::Event) {
            values.push_back(event_field->value(facts.event()));
        } else {
            auto certificate = facts.certificate();
            if (!certificate) return std::move(certificate).error();
            values = certificate_field->values(**certificate);
        }
        std::erase(values, "");
        if (wants_absent) return values.empty();
        return std::any_of(values.begin(), values.end(), test);
    }
    for (const auto& part : parts) {
        auto held = part.holds(facts);
        if (!held) return held;
        if (kind == Kind::Not) return !*held;
        if (kind == Kind::All && !*held) return false;
        if (kind == Kind::Any && *held) return true;
    }
    return kind == Kind::All;
}

std::optional<std::string_view> decimal(std::string_view text) {
    const bool is_number = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return c >= '0' && c <= '9';
    });
    if (!is_number) return std::nullopt;
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    return text;
}

bool is_less(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::string time_text(Time time) {
    return to_iso8601(time);
}

}  // namespace hatchery::hooks
