#include "provisioning/api/key_ring.h"

#include "provisioning/registry/access.h"

namespace hatchery::api {
namespace {

constexpr std::size_t kMaxEntries = 1024;

}  // namespace

std::shared_ptr<const AccessKey> KeyRing::known(std::string_view id, std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.generation != generation) return nullptr;
    return found->second.key;
}

Result<std::shared_ptr<const AccessKey>> KeyRing::find(std::string_view id) {
    // Asked for before the row is read: what changes in between is seen next time.
    const auto generation = store_.identity_generation();
    if (auto key = known(id, generation)) return key;
    auto row =
        store_.read([&](store::Reader& reader) { return registry::find_access_key(reader, id); });
    if (!row) return std::move(row).error();
    if (!row->enabled) return fail(Code::NotFound, "access key " + row->id + " is disabled");

    const std::lock_guard lock(mutex_);
    const auto before = entries_.find(id);
    if (before != entries_.end() && before->second.wrapped == row->wrapped_secret &&
        before->second.key->role == row->role) {
        before->second.generation = generation;
        return before->second.key;
    }
    auto secret = wrap_.unwrap(row->wrapped_secret, row->id);
    if (!secret) return std::move(secret).error();
    auto key = std::make_shared<const AccessKey>(
        AccessKey{std::string(id), std::move(row->role), std::move(*secret)});
    if (entries_.size() >= kMaxEntries) entries_.clear();
    entries_.insert_or_assign(std::string(id),
                              Entry{generation, std::move(row->wrapped_secret), key});
    return key;
}

}  // namespace hatchery::api
