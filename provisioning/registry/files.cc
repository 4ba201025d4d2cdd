#include "provisioning/registry/files.h"

#include "provisioning/registry/rows.h"

#include <algorithm>

namespace hatchery::registry {

namespace {

constexpr std::size_t kMaxFileName = 512;
constexpr std::string_view kFileColumns = "SELECT key, name, sha256, size, created FROM files ";
constexpr std::string_view kLinkSecretRow = "file_link_secret";

KeptFile make_file(const store::Statement& row) {
    return {row.integer(0),
            std::string(row.text(1)),
            to_bytes(row.blob(2)),
            row.integer(3),
            time_of(row, 4)};
}

bool is_file_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '.' || c == '~' || c == '-';
}

bool has_good_segments(std::string_view name) {
    for (;;) {
        const auto slash = name.find('/');
        const auto segment = name.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") return false;
        if (slash == std::string_view::npos) return true;
        name.remove_prefix(slash + 1);
    }
}

}  // namespace

Result<> check_file_name(std::string_view name) {
    const bool is_good = name.size() <= kMaxFileName &&
                         std::ranges::all_of(name, is_file_character) && has_good_segments(name);
    if (is_good) return {};
    return fail(Code::InvalidRequest,
                "expected a file name of 1 to 512 characters of [a-zA-Z0-9/_.~-] without empty or "
                "dot segments, found '" +
                    std::string(name.substr(0, 2 * kMaxFileName)) + "'");
}

Result<> put_file(store::Tx& tx, const KeptFile& file) {
    if (auto good = check_file_name(file.name); !good) return good;
    return tx.run(
        "INSERT INTO files(name, sha256, size, created) VALUES(?1, ?2, ?3, ?4) "
        "ON CONFLICT(name) DO UPDATE SET sha256 = ?2, size = ?3, created = ?4",
        file.name,
        ByteView(file.sha256),
        file.size,
        seconds(file.created));
}

Result<KeptFile> find_file(store::Reader& reader, std::string_view name) {
    static const std::string kSql = std::string(kFileColumns) + "WHERE name = ?";
    auto row = reader.query(kSql, name);
    if (auto there = expect_row(row, "file", name); !there) return std::move(there).error();
    return make_file(row);
}

Result<Page<KeptFile>> list_files(store::Reader& reader, const PageRequest& request) {
    static const std::string kSql =
        std::string(kFileColumns) + "WHERE name > ? ORDER BY name LIMIT ?";
    return read_page(reader.query(kSql, request.after, page_limit(request) + 1),
                     request,
                     Position::Name,
                     make_file);
}

Result<> remove_file(store::Tx& tx, std::string_view name) {
    auto gone = tx.run("DELETE FROM files WHERE name = ?", name);
    if (!gone) return gone;
    if (tx.changes() == 0) return missing("file", name);
    return {};
}

Result<bool> is_content_used(store::Reader& reader, ByteView sha256) {
    return has_row(reader.query("SELECT 1 FROM files WHERE sha256 = ? LIMIT 1", sha256));
}

Result<std::optional<Bytes>> find_link_secret(store::Reader& reader) {
    auto row = reader.query("SELECT value FROM meta WHERE name = ?", kLinkSecretRow);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return std::optional<Bytes>();
    auto wrapped = from_hex(row.text(0));
    if (!wrapped) return std::move(wrapped).error();
    return std::optional(std::move(*wrapped));
}

Result<Bytes> keep_link_secret(store::Tx& tx, const Bytes& wrapped) {
    auto known = find_link_secret(tx);
    if (!known) return std::move(known).error();
    if (*known) return std::move(**known);
    auto kept =
        tx.run("INSERT INTO meta(name, value) VALUES(?, ?)", kLinkSecretRow, to_hex(wrapped));
    if (!kept) return std::move(kept).error();
    return wrapped;
}

}  // namespace hatchery::registry
