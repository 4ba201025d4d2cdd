#include "tools/hatchery/template_files.h"

#include "ca/base/text_place.h"
#include "ca/certificate.h"
#include "ca/csr.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::command {

namespace {

using templates::Parameters;

std::vector<std::pair<std::string, std::string>> text_attributes(const ca::Name& name) {
    std::vector<std::pair<std::string, std::string>> attributes;
    for (const auto& attribute : name.attributes) {
        if (attribute.text) attributes.emplace_back(attribute.oid, attribute.value);
    }
    return attributes;
}

Result<> merge_json(Parameters& into, const std::string& path) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    const auto members = nlohmann::json::parse(*text, nullptr, false);
    if (!members.is_object()) {
        return fail(Code::InvalidRequest, "expected a JSON object of parameters", path);
    }
    for (const auto& [name, value] : members.items()) {
        if (!value.is_string()) {
            return fail(Code::InvalidRequest,
                        "expected a string as the value of the parameter " + one_line(name),
                        path);
        }
        into.insert_or_assign(name, value.get<std::string>());
    }
    return {};
}

Result<> merge_named(Parameters& into, const std::string& parameter) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0) {
        return fail(
            Code::InvalidRequest, "expected NAME=VALUE, found " + one_line(parameter), "--params");
    }
    std::string value = parameter.substr(equals + 1);
    if (value.starts_with('@')) {
        auto text = read_file(value.substr(1));
        if (!text) return std::move(text).error();
        value = *std::move(text);
    }
    into.insert_or_assign(parameter.substr(0, equals), std::move(value));
    return {};
}

Result<Parameters> of_files(const DeviceOptions& options) {
    if (!options.certificate.empty()) {
        const auto source = templates::parse_serial_number_source(options.serial_number);
        if (!source) return source.error();
        auto pem = read_file(options.certificate);
        if (!pem) return std::move(pem).error();
        return parameters_of_certificate(*pem, *source);
    }
    if (options.csr.empty()) return Parameters();
    auto text = read_file(options.csr);
    if (!text) return std::move(text).error();
    return parameters_of_csr(*text);
}

}  // namespace

std::optional<templates::Kind> parse_template_kind(std::string_view text) {
    using templates::Kind;
    for (const Kind kind : {Kind::Jitp, Kind::Claim, Kind::Bulk}) {
        if (text == to_string(kind)) return kind;
    }
    return std::nullopt;
}

void add_type_option(CLI::App& command, std::string& type) {
    command
        .add_option("--type",
                    type,
                    "What provisions with it; by default the file tells: jitp (first connect), "
                    "claim, bulk (RegisterThing)")
        ->check(CLI::IsMember({"jitp", "claim", "bulk"}));
}

templates::Syntax syntax_of(const std::filesystem::path& path) {
    const std::string extension = path.extension().string();
    const bool is_yaml = extension == ".yaml" || extension == ".yml";
    return is_yaml ? templates::Syntax::Yaml : templates::Syntax::Guess;
}

Result<templates::BodyFindings> read_template(const std::filesystem::path& path,
                                              std::optional<templates::Kind> kind) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    auto findings = templates::check_file(*text, kind, syntax_of(path));
    if (findings.bodies.size() != 1) {
        return fail(Code::InvalidRequest,
                    "expected one template, found " + std::to_string(findings.bodies.size()),
                    path.string());
    }
    auto& body = findings.bodies.front();
    if (body.value) return std::move(body);
    const auto first =
        std::find_if(body.diagnostics.begin(), body.diagnostics.end(), [](const auto& found) {
            return found.severity == templates::Severity::Error;
        });
    // A body that is known at deployment only has a warning and no template.
    const auto& found = first == body.diagnostics.end() ? body.diagnostics.front() : *first;
    return fail(Code::InvalidRequest,
                found.message + " [" + found.code + "]",
                place_in(path.string(), {found.range.line, found.range.column}));
}

void add_device_options(CLI::App& command, DeviceOptions& options) {
    auto* certificate =
        command.add_option("--cert", options.certificate, "The device's certificate, PEM");
    command
        .add_option("--csr",
                    options.csr,
                    "The device's CSR: what its certificate will give, if the profile takes the "
                    "subject over")
        ->excludes(certificate);
    command
        .add_option("--params",
                    options.parameters,
                    "Parameters, NAME=VALUE or NAME=@FILE; repeat, or list several")
        ->allow_extra_args();
    command.add_option("--params-file", options.parameters_file, "A JSON object of parameters");
    command
        .add_option("--serial-number-source",
                    options.serial_number,
                    "What AWS::IoT::Certificate::SerialNumber is: auto, certificate, subject")
        ->check(CLI::IsMember({"auto", "certificate", "subject"}));
}

Result<Parameters> device_parameters(const DeviceOptions& options) {
    auto parameters = of_files(options);
    if (!parameters) return parameters;
    if (!options.parameters_file.empty()) {
        if (auto merged = merge_json(*parameters, options.parameters_file); !merged) {
            return std::move(merged).error();
        }
    }
    for (const std::string& parameter : options.parameters) {
        if (auto merged = merge_named(*parameters, parameter); !merged) {
            return std::move(merged).error();
        }
    }
    return parameters;
}

void add_stand_in_id(Parameters& parameters, templates::Kind kind) {
    if (kind == templates::Kind::Bulk) return;
    parameters.try_emplace("AWS::IoT::Certificate::Id", std::string(64, '0'));
}

Result<Parameters> parameters_of_certificate(std::string_view pem,
                                             templates::SerialNumberSource source) {
    const auto certificate = ca::Certificate::from_pem(pem);
    if (!certificate) return certificate.error();
    return templates::certificate_parameters({certificate->id().hex(),
                                              certificate->serial_decimal(),
                                              text_attributes(certificate->fields().subject)},
                                             source);
}

Result<Parameters> parameters_of_csr(std::string_view text) {
    const auto csr = ca::Csr::parse(bytes_of(text));
    if (!csr) return csr.error();
    Parameters parameters = templates::certificate_parameters(
        {{}, {}, text_attributes(csr->fields().subject)}, templates::SerialNumberSource::Subject);
    parameters.erase("AWS::IoT::Certificate::Id");
    return parameters;
}

}  // namespace hatchery::command
