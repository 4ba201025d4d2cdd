#include "tools/hatchery/data_directory.h"

#include "ca/key_container.h"
#include "ca/weak_keys.h"
#include "provisioning/registry/schema.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/key_file.h"

#include <algorithm>
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

Result<ca::Certificate> read_certificate(const fs::path& path) {
    auto pem = read_file(path);
    if (!pem) return std::move(pem).error();
    auto certificate = ca::Certificate::from_pem(*pem);
    if (!certificate) return about(path, std::move(certificate).error());
    return certificate;
}

/// The certificates of `known` above `certificate`, nearest first, up to a self-signed one.
std::vector<ca::Certificate> chain_above(ca::Certificate certificate,
                                         const std::vector<ca::Certificate>& known) {
    constexpr std::size_t kMaxChain = 8;
    std::vector<ca::Certificate> chain;
    while (chain.size() < kMaxChain && !certificate.verify_signed_by(certificate)) {
        const auto above = std::find_if(known.begin(), known.end(), [&](const auto& candidate) {
            return certificate.verify_signed_by(candidate).has_value();
        });
        if (above == known.end()) break;
        chain.push_back(*above);
        certificate = *above;
    }
    return chain;
}

/// Every list of the folder; null if there is none.
Result<std::shared_ptr<const ca::WeakKeys>> read_weak_keys(const fs::path& folder) {
    static constexpr std::size_t most_bytes = 64UL << 20;
    std::error_code problem;
    if (!fs::exists(folder, problem)) return std::shared_ptr<const ca::WeakKeys>();
    fs::directory_iterator files(folder, problem);
    if (problem) return file_error("read", folder, problem.value());
    auto keys = std::make_shared<ca::WeakKeys>();
    for (const auto& file : files) {
        auto text = read_file(file.path(), most_bytes);
        if (!text) return std::move(text).error();
        if (auto added = keys->add(*text, file.path().string()); !added) {
            return could_not_run(std::move(added).error());
        }
    }
    return std::shared_ptr<const ca::WeakKeys>(std::move(keys));
}

Result<ca::Issuer> refusing_weak_keys(ca::Issuer issuer, const fs::path& folder) {
    auto keys = read_weak_keys(folder);
    if (!keys) return std::move(keys).error();
    issuer.refuse_keys(std::move(*keys));
    return issuer;
}

/// The CA of two files. Above it: what ca/chain.pem and ca/root.crt hold, as far as it signed.
Result<ca::Issuer> read_issuer(const Layout& layout,
                               const fs::path& certificate_file,
                               const fs::path& key_file,
                               const Secret& passphrase) {
    auto certificate = read_certificate(certificate_file);
    if (!certificate) return std::move(certificate).error();
    std::vector<ca::Certificate> known;
    std::error_code ignored;
    for (const auto& file : {layout.chain(), layout.root_certificate()}) {
        if (!fs::exists(file, ignored)) continue;
        auto pem = read_file(file);
        if (!pem) return std::move(pem).error();
        auto all = ca::Certificate::all_from_pem(*pem);
        if (!all) return about(file, std::move(all).error());
        known.insert(known.end(), all->begin(), all->end());
    }
    auto key = read_key_file(key_file, passphrase);
    if (!key) return std::move(key).error();
    auto issuer = ca::Issuer::make(*certificate, std::move(*key), chain_above(*certificate, known));
    if (!issuer) return about(certificate_file, std::move(issuer).error());
    return refusing_weak_keys(std::move(*issuer), layout.weak_keys());
}

Result<ca::Profile> read_profile(const fs::path& path, const std::string& status_url) {
    auto text = read_file(path);
    if (!text) return std::move(text).error();
    for (std::size_t at = 0; (at = text->find(ca::kStatusUrl, at)) != std::string::npos;)
        text->replace(at, ca::kStatusUrl.size(), status_url);
    auto profile = ca::Profile::parse(*text, path.string());
    if (!profile) return about(path, std::move(profile).error());
    return profile;
}

/// Files in hatchery.toml are written relative to the folder that it lies in.
void resolve_paths(const fs::path& root, Config& config) {
    for (auto& hook : config.hooks) {
        for (std::string* path : {&hook.file,
                                  &hook.rules,
                                  &hook.handler,
                                  &hook.ca_file,
                                  &hook.bearer_file,
                                  &hook.hmac_file,
                                  &hook.library}) {
            if (!path->empty()) *path = (root / *path).string();
        }
    }
    auto& rules = config.rules;
    for (std::string* path :
         {&rules.folder, &rules.s3_secret_file, &rules.s3_ca_file, &config.provisioning.escrow}) {
        if (!path->empty()) *path = (root / *path).string();
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

Result<std::shared_ptr<const ca::WeakKeys>> DataDirectory::weak_keys() const {
    return read_weak_keys(layout_.weak_keys());
}

Result<std::string> DataDirectory::escrow_recipient() const {
    const std::string& file = config_.provisioning.escrow;
    if (file.empty()) return std::string();
    auto pem = read_file(file);
    if (!pem) return pem;
    auto tried = ca::encrypt_to("", *pem);
    if (!tried) return could_not_run(about(file, std::move(tried).error()));
    return pem;
}

Result<std::unique_ptr<store::Store>> DataDirectory::open_store() const {
    auto store = registry::open(layout_.database());
    if (!store) return about(layout_.database(), std::move(store).error());
    return store;
}

Result<ca::Issuer> DataDirectory::issuing_ca(const Secret& passphrase) const {
    return read_issuer(layout_, layout_.issuing_certificate(), layout_.issuing_key(), passphrase);
}

Result<std::vector<ca::Issuer>> DataDirectory::earlier_issuing_cas(const Secret& passphrase) const {
    std::vector<ca::Issuer> issuers;
    std::error_code problem;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(layout_.earlier(), problem)) {
        if (entry.path().extension() == ".crt") files.push_back(entry.path());
    }
    std::sort(files.rbegin(), files.rend());
    for (const auto& file : files) {
        fs::path key = file;
        key.replace_extension(".key");
        auto issuer = read_issuer(layout_, file, key, passphrase);
        if (!issuer) return std::move(issuer).error();
        issuers.push_back(std::move(*issuer));
    }
    return issuers;
}

Result<ca::Issuer> DataDirectory::root_ca(const Secret& passphrase) const {
    std::error_code ignored;
    if (!fs::exists(layout_.root_key(), ignored)) {
        return fail(Code::Unavailable,
                    "the root's key is not in this data directory (" + layout_.root_key().string() +
                        "): use it where it is");
    }
    auto certificate = read_certificate(layout_.root_certificate());
    if (!certificate) return std::move(certificate).error();
    auto key = read_key_file(layout_.root_key(), passphrase);
    if (!key) return std::move(key).error();
    auto issuer = ca::Issuer::make(std::move(*certificate), std::move(*key), {});
    if (!issuer) return about(layout_.root_certificate(), std::move(issuer).error());
    return refusing_weak_keys(std::move(*issuer), layout_.weak_keys());
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
    auto key = read_key_file(layout_.server_key(), passphrase);
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
        auto profile = read_profile(entry.path(), status_url(config_));
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
