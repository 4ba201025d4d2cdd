#include "provisioning/flows/identity_cache.h"

#include "provisioning/flows/generations.h"
#include "provisioning/flows/identity.h"

namespace hatchery::flows {

namespace {

constexpr std::size_t kMostIdentities = 65'536;  // 3 KiB each

struct Remembered {
    std::string client_id;
    std::shared_ptr<const Identity> identity;
};

}  // namespace

struct IdentityCache::Impl {
    Generations<Remembered> identities{kMostIdentities};
};

IdentityCache::IdentityCache() : impl_(std::make_unique<Impl>()) {}
IdentityCache::~IdentityCache() = default;

void IdentityCache::remember(std::string_view client_id, std::shared_ptr<const Identity> identity) {
    const bool is_active = identity->certificate.status == registry::CertificateStatus::Active;
    if (!is_active || identity->is_renewal) return;
    const std::string key(text_of(identity->certificate.id.view()));
    impl_->identities.put(key, {std::string(client_id), std::move(identity)});
}

std::shared_ptr<const Identity> IdentityCache::find(const CertificateId& certificate,
                                                    std::string_view client_id,
                                                    std::uint64_t generation) {
    const auto found = impl_->identities.find(std::string(text_of(certificate.view())));
    if (!found || found->identity->generation != generation) return nullptr;
    const bool is_same = found->identity->is_for_any_client_id || found->client_id == client_id;
    return is_same ? found->identity : nullptr;
}

}  // namespace hatchery::flows
