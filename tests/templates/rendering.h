// Plans and diagnostics as text that a test compares whole.
#pragma once

#include "templates/template.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace hatchery::templates {

inline std::string read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string data_path(const std::string& name) {
    return std::string(HATCHERY_TEST_DATA) + "/templates/" + name;
}

inline std::string good_template(const std::string& name) {
    return read_text(data_path("good/" + name + ".json"));
}

inline std::string render(const Diagnostic& found) {
    std::string out =
        std::to_string(found.range.line) + ":" + std::to_string(found.range.column) + "-" +
        std::to_string(found.range.end_line) + ":" + std::to_string(found.range.end_column) + " " +
        (found.severity == Severity::Error ? "error " : "warning ") + found.code + " " +
        (found.pointer.empty() ? "(document)" : found.pointer) + "\n    " + found.message + "\n";
    if (!found.suggestion.empty()) out += "    " + found.suggestion + "\n";
    return out;
}

inline std::string render(const std::vector<Diagnostic>& diagnostics) {
    std::string out;
    for (const Diagnostic& found : diagnostics)
        out += render(found);
    return out;
}

inline std::string render(Override value) {
    return value == Override::Unset ? "-" : std::string(to_string(value));
}

inline std::string render(const std::optional<std::string>& value) {
    return value ? *value : "-";
}

inline std::string render(const Plan& plan) {
    std::string out;
    if (plan.certificate) {
        const CertificateRecord& record = *plan.certificate;
        out += "certificate " + record.logical_name + "\n";
        out += "  id " + render(record.certificate_id) + "\n";
        out += "  csr " + render(record.certificate_signing_request) + "\n";
        out += "  pem " + render(record.certificate_pem) + "\n";
        out += "  ca " + render(record.ca_certificate_pem) + "\n";
        out += std::string("  ") + (record.active ? "ACTIVE" : "INACTIVE") +
               (record.exclusive_thing ? " exclusive" : "") + " override " +
               render(record.on_status) + "\n";
    }
    if (plan.thing) {
        const ThingRecord& record = *plan.thing;
        out += "thing " + record.logical_name + " = " + record.thing_name + "\n";
        out += std::string("  attributes ") + (record.has_attributes ? "given" : "-") +
               " override " + render(record.on_attributes) + "\n";
        for (const auto& [name, value] : record.attributes) {
            out += "    " + name + " = " + value + "\n";
        }
        out += "  type " + render(record.thing_type) + " override " + render(record.on_thing_type) +
               "\n";
        out += std::string("  groups ") + (record.has_thing_groups ? "given" : "-") + " override " +
               render(record.on_thing_groups) + "\n";
        for (const std::string& group : record.thing_groups)
            out += "    " + group + "\n";
        out += "  billing " + render(record.billing_group) + "\n";
    }
    for (const PolicyRecord& record : plan.policies) {
        out += "policy " + record.logical_name + " name " + render(record.policy_name) +
               " document " + render(record.policy_document) + "\n";
    }
    for (const auto& [name, value] : plan.device_configuration) {
        out += "configuration " + name + " = " + value + "\n";
    }
    return out;
}

}  // namespace hatchery::templates
