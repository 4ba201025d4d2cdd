// The files that a device needs to connect, in the forms that its tools read.
#pragma once

#include "ca/certificate.h"
#include "ca/key.h"

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::command {

/// Pem is always there: NAME.key, NAME.crt with its chain, server-ca.crt, NAME.json.
enum class DeviceForm { Header, Pkcs12, Nvs };
/// "header", "p12", "nvs". @errors InvalidRequest
Result<DeviceForm> parse_device_form(std::string_view text);

struct DeviceFiles {
    std::string name;
    std::string host;
    int port = 0;
    std::string server_ca_pem;    ///< what the server's certificate is checked against
    std::string certificate_pem;  ///< leaf first
    ca::PrivateKey key;
    ca::Certificate certificate;
    std::vector<ca::Certificate> chain;
};

/// The paths that write_device_files will write, the key's first.
std::vector<std::filesystem::path> device_paths(const std::filesystem::path& folder,
                                                std::string_view name,
                                                const std::set<DeviceForm>& forms);
/// The private key alone: written before there is a certificate for it, 0600.
Result<> write_device_key(const std::filesystem::path& folder,
                          std::string_view name,
                          const ca::PrivateKey& key);
/// The others; those that hold the key are 0600.
/// @param passphrase  of the PKCS#12 file
Result<> write_device_files(const std::filesystem::path& folder,
                            const DeviceFiles& files,
                            const std::set<DeviceForm>& forms,
                            const Secret& passphrase);

}  // namespace hatchery::command
