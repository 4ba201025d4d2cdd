#include "provisioning/gateway/connect_watch.h"

#include <utility>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMostSeen = 10'000;
// A claim certificate is meant to be shared by a whole fleet: that it is shared is told, not by
// whom altogether.
constexpr std::uint32_t kMostNamed = 100;

}  // namespace

void ConnectWatch::opened(const CertificateId& certificate, const std::string& client_id) {
    const std::lock_guard lock(mutex_);
    open_holder(certificate, client_id);
    Client& client = clients_[client_id];
    if (client.open++ > 0) {
        note(Conflict::Kind::ClientId, certificate, client_id, 1);
        // The one that is taken over is the other half of the conflict.
        if (client.certificate != certificate) {
            note(Conflict::Kind::ClientId, client.certificate, client_id, 0);
        }
    }
    client.certificate = certificate;
}

void ConnectWatch::open_holder(const CertificateId& certificate, const std::string& client_id) {
    Holder& holder = holders_[certificate];
    if (holder.open + holder.others == 0) holder.client_id = client_id;
    if (holder.client_id == client_id) {
        ++holder.open;
        return;
    }
    ++holder.others;
    if (holder.client_id.empty() || holder.named >= kMostNamed) return;
    ++holder.named;
    note(Conflict::Kind::SharedCertificate, certificate, holder.client_id, 1);
    note(Conflict::Kind::SharedCertificate, certificate, client_id, 1);
}

void ConnectWatch::closed(const CertificateId& certificate, const std::string& client_id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = holders_.find(certificate); found != holders_.end()) {
        Holder& holder = found->second;
        std::uint32_t& count = holder.client_id == client_id ? holder.open : holder.others;
        if (count > 0) --count;
        if (holder.open == 0) holder.client_id.clear();  // whose the others are is not known
        if (holder.open + holder.others == 0) holders_.erase(found);
    }
    const auto client = clients_.find(client_id);
    if (client != clients_.end() && --client->second.open == 0) clients_.erase(client);
}

std::vector<ConnectWatch::Conflict> ConnectWatch::take(Time now) {
    decltype(seen_) seen;
    {
        const std::lock_guard lock(mutex_);
        seen.swap(seen_);
    }
    std::vector<Conflict> conflicts;
    conflicts.reserve(seen.size());
    for (auto& [key, count] : seen) {
        const auto& [kind, certificate, client_id] = key;
        conflicts.push_back({kind, certificate, client_id, now, now, count});
    }
    return conflicts;
}

void ConnectWatch::note(Conflict::Kind kind,
                        const CertificateId& certificate,
                        const std::string& client_id,
                        std::int64_t count) {
    const auto found = seen_.find({kind, certificate, client_id});
    if (found != seen_.end()) {
        found->second += count;
    } else if (seen_.size() < kMostSeen) {
        seen_.emplace(std::tuple(kind, certificate, client_id), count);
    }
}

}  // namespace hatchery::gateway
