// Files kept for devices: what is called what. Their content lies in the data directory, under its
// digest, so that a name never points at half a file (provisioning/files).
#pragma once

#include "ca/base/clock.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

namespace hatchery::registry {

struct KeptFile {
    std::int64_t key = 0;
    std::string name;
    Bytes sha256;
    std::int64_t size = 0;
    Time created;  ///< when the name got this content
};

/// 1-512 of [A-Za-z0-9/_.~-], no empty or dot segment: it stands in a URL as it is.
/// @errors InvalidRequest
Result<> check_file_name(std::string_view name);
/// Adds or replaces. @errors InvalidRequest  the name
Result<> put_file(store::Tx&, const KeptFile&);
/// @errors NotFound
Result<KeptFile> find_file(store::Reader&, std::string_view name);
/// By name.
Result<Page<KeptFile>> list_files(store::Reader&, const PageRequest&);
/// @errors NotFound
Result<> remove_file(store::Tx&, std::string_view name);
/// Does a name point at this content?
Result<bool> is_content_used(store::Reader&, ByteView sha256);

/// The secret that links to files are signed with, wrapped; nothing before the first server.
Result<std::optional<Bytes>> find_link_secret(store::Reader&);
/// Keeps `wrapped` unless there is one; the one that is there.
Result<Bytes> keep_link_secret(store::Tx&, const Bytes& wrapped);

}  // namespace hatchery::registry
