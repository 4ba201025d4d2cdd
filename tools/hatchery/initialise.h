// Making a data directory: keys, CAs, the server's certificate, an access key, configuration.
#pragma once

#include "tools/hatchery/endpoints.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hatchery::command {

struct InitChoices {
    /// Names and addresses in the server's certificate, the first is [server] host; empty:
    /// localhost, 127.0.0.1 and the host's name.
    std::vector<std::string> names;
    registry::Account account;
    ca::KeyKind key_kind = ca::KeyKind::P256;
};
/// @errors InvalidRequest  `where` is the option's name
Result<> check_choices(const InitChoices& choices);

/// Is `directory` new or empty? @errors AlreadyExists  it holds something
Result<> check_can_initialise(const std::filesystem::path& directory);

struct Initialised {
    Layout layout;
    Config config;
    Credentials credentials;  ///< of the first access key
};
/// Builds the directory under a temporary name beside (or, if it exists, inside) `directory` and
/// moves it into place at the end: whoever sees hatchery.toml sees all of it.
/// @errors AlreadyExists  `directory` holds something; Unavailable  it cannot be written
Result<Initialised> initialise(const std::filesystem::path& directory,
                               const InitChoices& choices,
                               const Secret& passphrase,
                               Time now);

}  // namespace hatchery::command
