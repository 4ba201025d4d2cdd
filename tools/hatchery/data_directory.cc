#include "tools/hatchery/data_directory.h"

#include "provisioning/registry/schema.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"

#include <system_error>
#include <utility>
#include <vector>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxProfiles = 1000;

/// `error`, about `file`, as one that kept the command from running.
Error about(const fs::path& file, Error error) {
    if (error.where.empty()) error.where = file.string();
    return could_not_run(std::move(error));
}

Result<ca::PrivateKey> read_key(const fs::path& path, const Secret& passphrase) {
    auto pem = read_file(path);
    if (!pem) return std::move(pem).error();
    auto key = ca::PrivateKey::from_pem(*pem, passphrase);
    if (!key) return about(path, std::move(key).error());
    return key;
}

Result<ca::Certificate> read_certificate(const fs::path& path) {
    auto pem = read_file(path);
    if (!pem) return std::move(pem).error();
    auto certificate = ca::Certificate::from_pem(*pem);
    if (!certificate) return about(path, std::move(certificate).error());
    return certificate;
}

Result<ca::Profile> read_profile(const fs::path& path) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    auto profile = ca::Profile::parse(*text, path.string());
    if (!profile) return about(path, std::move(profile).error());
    return profile;
}

/// Files in hatchery.toml are written relative to the folder that it lies in.
void resolve_paths(const fs::path& root, Config& config) {
    for (auto& hook : config.hooks) {
        if (!hook.file.empty()) hook.file = (root / hook.file).string();
    }
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const fs::path& path) {
    std::error_code problem;
    const fs::path root = fs::absolute(path, problem).lexically_normal();
    if (problem) return file_error("find", path, problem.value());
    Layout layout{root.has_filename() ? root : root.parent_path()};
    if (!fs::exists(layout.config(), problem)) {
        return fail(Code::Unavailable,
                    layout.root.string() +
                        " is no data directory: it has no hatchery.toml; hatchery init makes one");
    }
    auto text = read_file(layout.config());
    if (!text) return std::move(text).error();
    auto config = parse_config(*text, layout.config().string());
    if (!config) return could_not_run(std::move(config).error());
    resolve_paths(layout.root, *config);
    return DataDirectory(std::move(layout), std::move(*config));
}

Result<std::unique_ptr<store::Store>> DataDirectory::open_store() const {
    auto store = registry::open(layout_.database());
    if (!store) return about(layout_.database(), std::move(store).error());
    return store;
}

Result<ca::Issuer> DataDirectory::issuing_ca(const Secret& passphrase) const {
    auto certificate = read_certificate(layout_.issuing_certificate());
    if (!certificate) return std::move(certificate).error();
    auto root = read_certificate(layout_.root_certificate());
    if (!root) return std::move(root).error();
    auto key = read_key(layout_.issuing_key(), passphrase);
    if (!key) return std::move(key).error();
    auto issuer = ca::Issuer::make(std::move(*certificate), std::move(*key), {std::move(*root)});
    if (!issuer) return about(layout_.issuing_certificate(), std::move(issuer).error());
    return issuer;
}

Result<ca::WrapKey> DataDirectory::wrap_key(const Secret& passphrase) const {
    auto sealed = read_file(layout_.wrap_key());
    if (!sealed) return std::move(sealed).error();
    auto key = ca::WrapKey::open(bytes_of(*sealed), passphrase);
    if (!key) return about(layout_.wrap_key(), std::move(key).error());
    return key;
}

Result<ServerIdentity> DataDirectory::server_identity(const Secret& passphrase) const {
    auto chain = read_file(layout_.server_certificate());
    if (!chain) return std::move(chain).error();
    auto key = read_key(layout_.server_key(), passphrase);
    if (!key) return std::move(key).error();
    return ServerIdentity{std::move(*chain), std::move(*key)};
}

Result<Profiles> DataDirectory::profiles() const {
    std::error_code problem;
    fs::directory_iterator files(layout_.profiles(), problem);
    if (problem) return file_error("read", layout_.profiles(), problem.value());
    Profiles profiles;
    for (const auto& entry : files) {
        if (entry.path().extension() != ".toml") continue;
        if (profiles.size() == kMaxProfiles) {
            return fail(Code::Unavailable,
                        "expected at most " + std::to_string(kMaxProfiles) + " profiles",
                        layout_.profiles().string());
        }
        auto profile = read_profile(entry.path());
        if (!profile) return std::move(profile).error();
        profiles.emplace(entry.path().stem().string(), std::move(*profile));
    }
    return profiles;
}

Result<ca::Profile> DataDirectory::profile(std::string_view name) const {
    auto all = profiles();
    if (!all) return std::move(all).error();
    if (const auto found = all->find(name); found != all->end()) return found->second;
    std::string known;
    for (const auto& [known_name, profile] : *all)
        known += (known.empty() ? "" : ", ") + known_name;
    return fail(Code::NotFound,
                "no profile \"" + std::string(name) + "\", expected one of " + known);
}

}  // namespace hatchery::command
