#include "templates/parameter_names.h"
#include "templates/template.h"
#include "templates/text.h"

namespace hatchery::templates {

namespace {

/// RFC 4514 section 2.4, and '=' as AWS escapes it (CloudTrail shows "testThingC\=US").
std::string escape(std::string_view value) {
    constexpr std::string_view special = ",+\"\\<>;=";
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c == '\0') {
            out += "\\00";
            continue;
        }
        const bool leads = i == 0 && (c == ' ' || c == '#');
        const bool trails = i + 1 == value.size() && c == ' ';
        if (leads || trails || special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

std::optional<std::string_view> first(const CertificateFacts& facts, std::string_view oid) {
    for (const auto& [attribute, value] : facts.subject) {
        if (attribute == oid) return value;
    }
    return std::nullopt;
}

std::optional<std::string> serial_number(const CertificateFacts& facts, SerialNumberSource source) {
    const auto of_subject = first(facts, kSerialNumberOid);
    if (source != SerialNumberSource::Certificate && of_subject) return escape(*of_subject);
    if (source == SerialNumberSource::Subject) return std::nullopt;
    return facts.serial_decimal;
}

}  // namespace

Result<SerialNumberSource> parse_serial_number_source(std::string_view text) {
    if (text == "auto") return SerialNumberSource::Auto;
    if (text == "certificate") return SerialNumberSource::Certificate;
    if (text == "subject") return SerialNumberSource::Subject;
    return fail(Code::InvalidRequest,
                "expected \"auto\", \"certificate\" or \"subject\", found " + in_quotes(text));
}

Parameters certificate_parameters(const CertificateFacts& facts, SerialNumberSource source) {
    Parameters parameters;
    for (const auto& [name, oid] : kSubjectParameters) {
        if (const auto value = first(facts, oid)) parameters.emplace(name, escape(*value));
    }
    if (auto value = serial_number(facts, source)) {
        parameters.emplace(kSerialNumberParameter, *std::move(value));
    }
    parameters.emplace(kCertificateIdParameter, facts.certificate_id);
    return parameters;
}

}  // namespace hatchery::templates
