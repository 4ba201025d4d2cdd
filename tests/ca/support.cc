#include "tests/ca/support.h"

#include "ca/digest.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace hatchery::ca::testing {

namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::fprintf(stderr, "no file %s\n", path.c_str());
        std::abort();
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string data(const std::string& name) {
    return read_file(std::filesystem::path(HATCHERY_TEST_DATA) / "ca" / name);
}

Secret secret(std::string text) {
    return Secret::take(text);
}

Profile shipped(std::string_view name) {
    for (const auto& profile : shipped_profiles()) {
        if (profile.name == name) return Profile::parse(profile.toml, profile.name).value();
    }
    std::abort();
}

Profile with_status(std::string_view name) {
    for (const auto& shipped : shipped_profiles()) {
        if (shipped.name != name) continue;
        std::string text(shipped.toml);
        const std::string_view url = "http://status.example.com";
        for (std::size_t at = 0; (at = text.find("{status_url}", at)) != std::string::npos;) {
            const bool comment = text.rfind('#', at) > text.rfind('\n', at) &&
                                 text.rfind('#', at) != std::string::npos;
            at = comment ? at + 1 : (text.replace(at, 12, url), at + url.size());
        }
        return Profile::parse(text, name).value();
    }
    std::abort();
}

Csr csr_of(const PrivateKey& key, const CsrSubject& subject) {
    return Csr::parse(bytes_of(make_csr(key, subject).value())).value();
}

Result<> MemoryLedger::complete(const Certificate& certificate, Time /*now*/) {
    completed.push_back(certificate.der());
    return {};
}

Result<> MemoryLedger::append(const Prepared& prepared,
                              std::string_view /*requester*/,
                              Time /*now*/) {
    if (broken) return fail(Code::Unavailable, "the ledger cannot be written");
    recorded.push_back(prepared.tbs());
    return {};
}

TestCa::TestCa(KeyKind kind)
    : root_key(PrivateKey::generate(kind).value()),
      root(make_root(root_key, "Test Root", std::chrono::hours(24 * 365 * 30), kNow).value()),
      root_issuer(Issuer::make(root, root_key, {}).value()),
      issuer(make_issuing(kind)) {}

Issuer TestCa::make_issuing(KeyKind kind) {
    const auto key = PrivateKey::generate(kind).value();
    const auto csr = csr_of(key, {{{"2.5.4.3", "Test Issuing CA"}}, {}, {}});
    auto recorded =
        ledger.record(root_issuer.prepare(csr, shipped("sub-ca"), kNow).value(), "test", kNow);
    return Issuer::make(root_issuer.sign(std::move(recorded.value())).value(), key, {root}).value();
}

Result<Certificate> TestCa::issue(const Csr& csr, const Profile& profile, Time now) {
    auto prepared = issuer.prepare(csr, profile, now);
    if (!prepared) return std::move(prepared).error();
    auto recorded = ledger.record(std::move(*prepared), "test", now);
    if (!recorded) return std::move(recorded).error();
    return issuer.sign(std::move(*recorded));
}

TempFolder::TempFolder()
    : folder_(std::filesystem::temp_directory_path() / ("hatchery-ca-" + random_uuid())) {
    std::filesystem::create_directory(folder_);
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string TempFolder::write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return path(name);
}

std::string TempFolder::read(const std::string& name) const {
    return read_file(folder_ / name);
}

Ran run(const std::string& command) {
    Ran ran;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return ran;
    std::array<char, 4096> buffer{};
    for (std::size_t size = 0; (size = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
        ran.output.append(buffer.data(), size);
    const int status = pclose(pipe);
    ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

}  // namespace hatchery::ca::testing
