// A CA's private key on disk: PKCS#8, sealed by the passphrase, or one line that says where in an
// HSM it is. The token's PIN is HATCHERY_HSM_PIN or else the passphrase.
#pragma once

#include "ca/key.h"

#include <filesystem>
#include <string>

namespace hatchery::command {

/// @errors Unavailable  no such file, no private key, an HSM that does not answer; Unauthenticated
/// a wrong passphrase or PIN
Result<ca::PrivateKey> read_key_file(const std::filesystem::path& file, const Secret& passphrase);

/// Of the option that fills NewKey::hsm.
inline constexpr const char* kHsmHelp =
    "Make the key inside an HSM: pkcs11:token=TOKEN;object=LABEL?module-path=FILE";

struct NewKey {
    ca::KeyKind kind = ca::KeyKind::P384;
    std::string hsm{};  ///< where to make it, a Pkcs11Uri; empty: here, sealed
};
/// Makes a key and writes its file (mode 0600), which must not be there.
/// @errors AlreadyExists  the file, or a key of this label in the token; InvalidRequest  a wrong
/// URI or a kind that the HSM does not make; those of read_key_file
Result<ca::PrivateKey> make_key_file(const std::filesystem::path& file,
                                     const NewKey& wanted,
                                     const Secret& passphrase);

}  // namespace hatchery::command
