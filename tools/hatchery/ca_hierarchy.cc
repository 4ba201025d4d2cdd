#include "tools/hatchery/ca_hierarchy.h"

#include "provisioning/registry/schema.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/staging.h"

#include <algorithm>
#include <system_error>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

Result<ca::Certificate> read_ca_certificate(const fs::path& path) {
    auto pem = read_file(path);
    if (!pem) return std::move(pem).error();
    auto certificate = ca::Certificate::from_pem(*pem);
    if (!certificate) {
        return fail(Code::Unavailable, certificate.error().message, path.string());
    }
    return certificate;
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

/// Moves a copy of the present CA to ca/earlier, unless it is there.
Result<> keep_earlier(const Layout& layout, const ca::Certificate& present) {
    std::error_code ignored;
    fs::create_directory(layout.earlier(), ignored);
    const std::string name = present.id().hex().substr(0, 16);
    for (const auto& [from, extension, mode] :
         {std::tuple{layout.issuing_key(), ".key", kPrivate},
          std::tuple{layout.issuing_certificate(), ".crt", kPublic}}) {
        auto content = read_file(from);
        if (!content) return std::move(content).error();
        auto written =
            write_file(layout.earlier() / (name + extension), *content, mode, Existing::Replace);
        if (!written) return written;
    }
    return sync_directory(layout.earlier());
}

/// What is above the new CA, and new here, goes to ca/chain.pem.
Result<> keep_chain(const Layout& layout, const std::vector<ca::Certificate>& above) {
    std::string text;
    if (is_there(layout.chain())) {
        auto present = read_file(layout.chain());
        if (!present) return std::move(present).error();
        text = std::move(*present);
    }
    bool is_new = false;
    for (const auto& certificate : above) {
        const std::string pem = certificate.pem();
        if (text.find(pem) != std::string::npos) continue;
        text += pem;
        is_new = true;
    }
    if (!is_new) return {};
    return write_file(layout.chain(), text, kPublic, Existing::Replace);
}

}  // namespace

Result<std::vector<CaFile>> list_cas(const Layout& layout) {
    struct Known {
        std::string role;
        fs::path certificate, key;
    };
    std::vector<Known> known{{"root", layout.root_certificate(), layout.root_key()},
                             {"issuing", layout.issuing_certificate(), layout.issuing_key()}};
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(layout.earlier(), ignored)) {
        if (entry.path().extension() != ".crt") continue;
        fs::path key = entry.path();
        key.replace_extension(".key");
        known.push_back({"earlier", entry.path(), key});
    }
    std::vector<CaFile> cas;
    for (const auto& one : known) {
        if (!is_there(one.certificate)) continue;
        auto certificate = read_ca_certificate(one.certificate);
        if (!certificate) return std::move(certificate).error();
        cas.push_back({one.role, std::move(*certificate), is_there(one.key)});
    }
    return cas;
}

Result<ca::Certificate> make_offline_root(const fs::path& directory,
                                          const RootChoices& choices,
                                          const Secret& passphrase,
                                          Time now) {
    auto staging = Staging::make(directory);
    if (!staging) return std::move(staging).error();
    const Layout layout{staging->path()};
    for (const auto* name : {"ca", "profiles", "run"}) {
        if (auto made = make_private_directory(layout.root / name); !made) {
            return std::move(made).error();
        }
    }
    auto store = registry::open(layout.database());
    if (!store) return std::move(store).error();
    store->reset();
    auto key = make_key_file(layout.root_key(), choices.key, passphrase);
    if (!key) return std::move(key).error();
    auto certificate = ca::make_root(*key, choices.name, choices.validity, now);
    if (!certificate) return std::move(certificate).error();
    auto written =
        write_file(layout.root_certificate(), certificate->pem(), kPublic, Existing::Refuse);
    if (!written) return std::move(written).error();
    for (const auto& profile : ca::shipped_profiles()) {
        if (profile.name != "sub-ca") continue;
        auto file =
            write_file(layout.profiles() / "sub-ca.toml", profile.toml, kPrivate, Existing::Refuse);
        if (!file) return std::move(file).error();
    }
    auto config = write_file(layout.config(), render_config(Config{}), kPrivate, Existing::Refuse);
    if (!config) return std::move(config).error();
    auto target = staging->commit(Layout{}.config().filename());
    if (!target) return std::move(target).error();
    return certificate;
}

Result<std::string> make_ca_request(const Layout& layout,
                                    const std::string& name,
                                    const NewKey& wanted,
                                    const Secret& passphrase) {
    auto key = is_there(layout.pending_key())
                   ? read_key_file(layout.pending_key(), passphrase)
                   : make_key_file(layout.pending_key(), wanted, passphrase);
    if (!key) return std::move(key).error();
    return ca::make_csr(*key, {{{std::string(ca::oid::kCommonName), name}}, {}, {}});
}

Result<> install_ca(const Layout& layout,
                    const ca::Certificate& certificate,
                    const std::vector<ca::Certificate>& above,
                    const Secret& passphrase,
                    Time now) {
    auto key = read_key_file(layout.pending_key(), passphrase);
    if (!key) return std::move(key).error();
    if (auto valid = ca::check_validity(certificate, now); !valid) return valid;
    // Everything that may be above it; the issuer checks the order and the signatures.
    std::vector<ca::Certificate> known = above;
    if (is_there(layout.root_certificate())) {
        auto root = read_ca_certificate(layout.root_certificate());
        if (!root) return std::move(root).error();
        known.push_back(std::move(*root));
    }
    const auto parent = std::ranges::find_if(known, [&](const auto& candidate) {
        return certificate.verify_signed_by(candidate).has_value();
    });
    if (parent == known.end()) {
        return fail(Code::InvalidRequest,
                    "expected the certificate of the CA that signed it, \"" +
                        certificate.fields().issuer.to_string() + "\", in --chain");
    }
    auto issuer = ca::Issuer::make(certificate, *key, {*parent});
    if (!issuer) return std::move(issuer).error();
    if (auto kept = keep_chain(layout, above); !kept) return kept;
    if (is_there(layout.issuing_certificate())) {
        auto present = read_ca_certificate(layout.issuing_certificate());
        if (!present) return std::move(present).error();
        // Equal: an earlier try got so far.
        if (present->id() != certificate.id()) {
            if (auto kept = keep_earlier(layout, *present); !kept) return kept;
        }
    }
    auto put =
        write_file(layout.issuing_certificate(), certificate.pem(), kPublic, Existing::Replace);
    if (!put) return put;
    if (::rename(layout.pending_key().c_str(), layout.issuing_key().c_str()) != 0) {
        return file_error("write", layout.issuing_key(), errno);
    }
    return sync_directory(layout.root / "ca");
}

}  // namespace hatchery::command
