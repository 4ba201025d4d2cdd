// Where a server is reached, as scripts read it: ready files, ports.json, `env` and `init --json`.
#pragma once

#include "tools/hatchery/data_directory.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::command {

struct Ports {
    int mqtt = 0;
    int https = 0;
    int control_plane = 0;
    int status = 0;
};

/// The ports that the configuration asks for.
Ports configured_ports(const Config& config);
/// The control plane's URL: its own address, or the server's name if it listens on every address.
std::string control_plane_url(const Config& config, int port);

/// {"mqtt", "https", "controlPlane", "status", "endpoint", "pid"}, one line: the ready file and
/// ports.json.
std::string ports_json(const Config& config, const Ports& ports, std::int64_t pid);
/// @errors Unavailable  not what ports_json writes
Result<Ports> parse_ports_json(std::string_view json, std::string_view source);

/// Variables by name, in the order in which they are printed.
using Environment = std::vector<std::pair<std::string, std::string>>;
/// An access key's id and its secret in the clear.
struct Credentials {
    std::string id;
    Secret secret;
};
/// What a client needs to reach the server of `layout` at `ports`.
Environment environment_of(const Layout& layout,
                           const Config& config,
                           const Ports& ports,
                           const Credentials& credentials);
/// One JSON object of strings, indented, with a newline at the end.
std::string to_json(const Environment& environment);
/// `export NAME='VALUE'` lines for a POSIX shell; every value is quoted, whatever is in it.
std::string to_shell(const Environment& environment);
/// `text` as one word of a POSIX shell, quoted only where it must be.
std::string shell_word(std::string_view text);

}  // namespace hatchery::command
