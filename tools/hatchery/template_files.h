// What the template subcommands share: files on the command line, and where a device's parameters
// come from.
#pragma once

#include "ca/base/error.h"
#include "templates/check_file.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace hatchery::command {

std::optional<templates::Kind> parse_template_kind(std::string_view text);
/// Adds --type.
void add_type_option(CLI::App& command, std::string& type);
/// Yaml for names that end with .yaml or .yml.
templates::Syntax syntax_of(const std::filesystem::path& path);

/// The one template of `path`, compiled.
/// @errors InvalidRequest  it has errors, the first one is named, or there are several or none;
/// Unavailable  it cannot be read
Result<templates::BodyFindings> read_template(const std::filesystem::path& path,
                                              std::optional<templates::Kind> kind);

/// Where the parameters of one device come from.
struct DeviceOptions {
    std::string certificate;              ///< PEM file
    std::string csr;                      ///< PEM or DER file
    std::vector<std::string> parameters;  ///< NAME=VALUE, or NAME=@FILE
    std::string parameters_file;          ///< a JSON object of strings
    std::string serial_number = "auto";
};
void add_device_options(CLI::App& command, DeviceOptions& options);
/// Those of the certificate or the CSR, then the file's, then the named ones.
/// @errors InvalidRequest  no certificate or CSR in the file, a parameter of another form;
/// Unavailable  a file cannot be read
Result<templates::Parameters> device_parameters(const DeviceOptions& options);

/// Gives AWS::IoT::Certificate::Id a stand-in of 64 zeros, where the service would define it and no
/// certificate did.
void add_stand_in_id(templates::Parameters& parameters, templates::Kind kind);

/// The AWS::IoT::Certificate::* parameters that the PEM certificate `pem` gives.
Result<templates::Parameters> parameters_of_certificate(std::string_view pem,
                                                        templates::SerialNumberSource source);
/// Those of a certificate with the subject of the CSR `text`: without Id, and without the
/// certificate's own serial number.
Result<templates::Parameters> parameters_of_csr(std::string_view text);

}  // namespace hatchery::command
