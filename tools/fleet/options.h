// What the command line says; filled once by main.cc.
#pragma once

#include "ca/key.h"

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace hatchery::fleet {

/// Where the server is and how to trust it.
struct Server {
    std::string host = "localhost";
    int mqtt_port = 8883;
    int https_port = 8443;
    std::string ca_file;  ///< PEM of the root that signs server certificates
};

/// The subject of a device's CSR; empty fields are left out.
struct Subject {
    std::string common_name = "fleet-simulator";
    std::string organization;
    std::string organizational_unit;
    std::string dn_qualifier;
    bool has_serial_number = true;
};

enum class Claim { Keys, Csr, Mix };

struct Options {
    Server server;
    int devices = 1;
    int concurrency = 8;
    int retries = 3;
    std::chrono::seconds timeout{30};  ///< of each step of a device
    std::string serial_prefix;
    int serial_start = 1;
    int serial_digits = 4;
    std::vector<std::string> serials;        ///< beside the numbered ones
    std::set<std::string> expected_refused;  ///< serial numbers
    std::string topic = "AnyCompany/{thing}/telemetry";
    std::string out_file;
    bool is_json = false;  ///< the closing table as one JSON object
    ca::KeyKind key = ca::KeyKind::P256;
    Subject subject;
    // jitp
    std::string station_certificate_file;
    std::string station_key_file;
    std::string client_id = "{serial}";
    bool is_bench = false;
    std::string power_file;   ///< all devices connect together once it is there; empty: at once
    std::string keep_folder;  ///< identities of devices, THING.pem
    // rotate
    std::chrono::seconds patience{300};  ///< for a device's rotation, whatever happens meanwhile
    // claim
    std::string template_name;
    std::string claim_certificate_file;
    std::string claim_key_file;
    std::string claim_client_id = "fleet-{serial}";
    Claim claim = Claim::Keys;
};

/// `text` with each `{name}` replaced by `value`.
std::string fill(std::string text, const std::string& name, const std::string& value);
/// The serial numbers of all devices: the numbered ones, then the explicit ones.
std::vector<std::string> serial_numbers(const Options& options);

}  // namespace hatchery::fleet
