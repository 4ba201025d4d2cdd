#include "provisioning/api/key_ring.h"

#include "provisioning/registry/access.h"

namespace hatchery::api {
namespace {

constexpr std::size_t kMaxEntries = 1024;

}  // namespace

Result<std::shared_ptr<const AccessKey>> KeyRing::find(std::string_view id) {
    auto row =
        store_.read([&](store::Reader& reader) { return registry::find_access_key(reader, id); });
    if (!row) return std::move(row).error();
    if (!row->enabled) return fail(Code::NotFound, "access key " + row->id + " is disabled");

    const std::lock_guard lock(mutex_);
    const auto known = entries_.find(id);
    if (known != entries_.end() && known->second.wrapped == row->wrapped_secret &&
        known->second.key->role == row->role) {
        return known->second.key;
    }
    auto secret = wrap_.unwrap(row->wrapped_secret, row->id);
    if (!secret) return std::move(secret).error();
    auto key = std::make_shared<const AccessKey>(
        AccessKey{std::string(id), std::move(row->role), std::move(*secret)});
    if (entries_.size() >= kMaxEntries) entries_.clear();
    entries_.insert_or_assign(std::string(id), Entry{std::move(row->wrapped_secret), key});
    return key;
}

}  // namespace hatchery::api
