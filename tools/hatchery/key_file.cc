#include "tools/hatchery/key_file.h"

#include "ca/pkcs11.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"

#include <cstdlib>

namespace hatchery::command {

namespace {

Secret pin_or(const Secret& passphrase) {
    const char* pin = std::getenv("HATCHERY_HSM_PIN");  // NOLINT(concurrency-mt-unsafe): at start
    return pin == nullptr ? passphrase.duplicate() : Secret::copy_of(bytes_of(pin));
}

}  // namespace

Result<ca::PrivateKey> read_key_file(const std::filesystem::path& file, const Secret& passphrase) {
    auto text = read_file(file);
    if (!text) return std::move(text).error();
    auto key = text->starts_with("pkcs11:") ? ca::read_private_key(*text, pin_or(passphrase))
                                            : ca::read_private_key(*text, passphrase);
    if (key) return key;
    Error error = could_not_run(std::move(key).error());
    if (error.where.empty()) error.where = file.string();
    return error;
}

Result<ca::PrivateKey> make_key_file(const std::filesystem::path& file,
                                     const NewKey& wanted,
                                     const Secret& passphrase) {
    if (auto absent = check_absent(file); !absent) return std::move(absent).error();
    auto key = wanted.hsm.empty()
                   ? ca::PrivateKey::generate(wanted.kind)
                   : ca::make_device_key(wanted.kind, wanted.hsm, pin_or(passphrase));
    if (!key) return key;
    auto text = wanted.hsm.empty() ? key->to_encrypted_pem(passphrase)
                                   : Result<std::string>(wanted.hsm + "\n");
    if (!text) return std::move(text).error();
    auto written = write_file(file, *text, kPrivate, Existing::Refuse);
    if (!written) return std::move(written).error();
    return key;
}

}  // namespace hatchery::command
