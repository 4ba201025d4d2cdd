#include "provisioning/flows/revocation.h"

#include "ca/base/clock.h"

#include <algorithm>

namespace hatchery::flows {

namespace {

using Shard = std::optional<unsigned>;

struct ListView {
    std::int64_t as_of = 0;
    std::int64_t number = 0;
    std::vector<registry::Revocation> revoked;
    std::vector<std::string> patterns;
};

bool is_due(const std::optional<registry::StoredCrl>& crl, const CrlSchedule& schedule, Time now) {
    if (!crl || crl->is_stale || schedule.is_forced) return true;
    // A clock that was set back must not keep a list from being renewed.
    return now < crl->this_update || now - crl->this_update >= schedule.lifetime / 4 ||
           crl->next_update - now < schedule.lifetime / 2;
}

Result<ListView> read_view(store::Store& store, const CertificateId& issuer, Shard shard) {
    return store.read([&](store::Reader& reader) -> Result<ListView> {
        ListView view;
        auto head = registry::ledger_head(reader);
        if (!head) return std::move(head).error();
        view.as_of = head->sequence;
        // Two lists of one second are told apart, also when a backup was restored between them.
        auto number = registry::next_crl_number(reader, issuer, shard, clock_now_in_milliseconds());
        if (!number) return std::move(number).error();
        view.number = *number;
        auto revoked = registry::revocations_of(reader, issuer, shard);
        if (!revoked) return std::move(revoked).error();
        view.revoked = std::move(*revoked);
        auto patterns = registry::crl_urls(reader, issuer);
        if (!patterns) return std::move(patterns).error();
        view.patterns = std::move(*patterns);
        return view;
    });
}

/// A shard's list names its URLs; the list of all shards has no distribution point: it is complete.
std::vector<std::string> urls_of(const ListView& view, const ca::Certificate& issuer, Shard shard) {
    std::vector<std::string> urls;
    if (!shard) return urls;
    for (const auto& pattern : view.patterns) {
        if (pattern.find("{shard}") == std::string::npos) continue;
        urls.push_back(ca::expand_url(pattern, issuer, shard));
    }
    return urls;
}

Result<> publish_one(store::Store& store,
                     const ca::Issuer& issuer,
                     Shard shard,
                     const CrlSchedule& schedule,
                     Time now) {
    const CertificateId& id = issuer.certificate().id();
    auto view = read_view(store, id, shard);
    if (!view) return std::move(view).error();
    ca::CrlContent content;
    content.number = view->number;
    content.this_update = now;
    content.next_update = now + schedule.lifetime;
    content.distribution_urls = urls_of(*view, issuer.certificate(), shard);
    content.revoked.reserve(view->revoked.size());
    for (auto& one : view->revoked)
        content.revoked.push_back({std::move(one.serial_number), one.revoked, one.reason});
    auto der = ca::make_crl(issuer.certificate(), issuer.key(), content);
    if (!der) return std::move(der).error();
    const registry::StoredCrl crl{
        content.number, now, content.next_update, false, std::move(*der), view->as_of};
    return store.write(
        [&](store::Tx& tx) -> Result<> { return registry::store_crl(tx, id, shard, crl); });
}

}  // namespace

std::vector<std::string> crl_patterns(
    const std::map<std::string, ca::Profile, std::less<>>& profiles) {
    std::vector<std::string> patterns;
    for (const auto& [name, profile] : profiles) {
        for (const auto& url : profile.crl_urls) {
            if (std::ranges::find(patterns, url) == patterns.end()) patterns.push_back(url);
        }
    }
    return patterns;
}

Result<int> publish_crls(store::Store& store,
                         const ca::Issuer& issuer,
                         const std::vector<std::string>& patterns,
                         const CrlSchedule& schedule,
                         Time now) {
    const CertificateId& id = issuer.certificate().id();
    bool has_new_url = false;
    auto known = store.read([&](store::Reader& reader) { return registry::crl_urls(reader, id); });
    if (!known) return std::move(known).error();
    for (const auto& pattern : patterns) {
        if (std::ranges::find(*known, pattern) != known->end()) continue;
        has_new_url = true;
        auto added = store.write(
            [&](store::Tx& tx) -> Result<> { return registry::add_crl_url(tx, id, pattern); });
        if (!added) return std::move(added).error();
    }
    std::vector<Shard> shards{std::nullopt};
    for (unsigned shard = 0; shard < ca::kCrlShards; ++shard)
        shards.emplace_back(shard);
    int made = 0;
    for (const Shard shard : shards) {
        auto stored = store.read(
            [&](store::Reader& reader) { return registry::find_crl_dates(reader, id, shard); });
        if (!stored) return std::move(stored).error();
        if (!has_new_url && !is_due(*stored, schedule, now)) continue;
        auto published = publish_one(store, issuer, shard, schedule, now);
        // Somebody else (a command, another node) has just published the same list.
        if (!published && published.error().code == Code::Conflict) continue;
        if (!published) return std::move(published).error();
        ++made;
    }
    return made;
}

}  // namespace hatchery::flows
