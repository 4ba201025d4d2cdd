// The CAs of a data directory: making an offline root, and putting a new issuing CA in the place of
// the present one while both stay live.
#pragma once

#include "tools/hatchery/data_directory.h"
#include "tools/hatchery/key_file.h"

#include <optional>
#include <string>
#include <vector>

namespace hatchery::command {

/// A CA whose files lie in ca/.
struct CaFile {
    std::string role;  ///< "root", "issuing", "earlier"
    ca::Certificate certificate;
    bool has_key = false;
};
Result<std::vector<CaFile>> list_cas(const Layout& layout);

struct RootChoices {
    std::string name;
    NewKey key{};
    std::chrono::seconds validity = std::chrono::days(365) * 25;
};
/// A data directory with a root and nothing below it, for a machine that is kept off the network:
/// it signs CSRs of CAs (`hatchery sign --ca root`) and its own list.
/// @errors AlreadyExists  the directory holds something; Unavailable
Result<ca::Certificate> make_offline_root(const std::filesystem::path& directory,
                                          const RootChoices& choices,
                                          const Secret& passphrase,
                                          Time now);

/// A new issuing CA's key, kept as ca/pending.key, and the request for it, PEM. Asked again it
/// keeps the key. @errors Unavailable  files; those of make_key_file
Result<std::string> make_ca_request(const Layout& layout,
                                    const std::string& name,
                                    const NewKey& wanted,
                                    const Secret& passphrase);

/// Makes `certificate` the issuing CA; its key is ca/pending.key. The present one moves to
/// ca/earlier and stays good. Can be repeated after a crash in the middle.
/// @param above  CA certificates above it, if they are not known here
/// @errors InvalidRequest  not for the pending key, no CA, or not signed by what is above it
Result<> install_ca(const Layout& layout,
                    const ca::Certificate& certificate,
                    const std::vector<ca::Certificate>& above,
                    const Secret& passphrase,
                    Time now);

}  // namespace hatchery::command
