#include "provisioning/enroll/health.h"

#include "ca/pkcs11.h"
#include "provisioning/enroll/log.h"
#include "provisioning/registry/ledger_probe.h"
#include "provisioning/registry/revocations.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <optional>

namespace hatchery::enroll {
namespace {

using Part = Health::Part;

constexpr std::string_view kProbe = "hatchery: can this key sign?";

template <class T>
Part part_of(std::string name, const Result<T>& tried) {
    return {std::move(name), tried ? "" : tried.error().message, ""};
}

Result<> try_lists(store::Reader& reader, const CertificateId& issuer, Time now) {
    std::vector<std::optional<unsigned>> shards{std::nullopt};
    for (unsigned shard = 0; shard < ca::kCrlShards; ++shard)
        shards.emplace_back(shard);
    for (const auto& shard : shards) {
        auto crl = registry::find_crl_dates(reader, issuer, shard);
        if (!crl) return std::move(crl).error();
        if (*crl && (*crl)->next_update > now) continue;
        const std::string name =
            shard ? "list " + std::to_string(*shard) : "the list of all shards";
        return fail(Code::Unavailable,
                    name + (*crl ? " ended on " + to_iso8601((*crl)->next_update)
                                 : std::string(" was not published yet")));
    }
    return {};
}

}  // namespace

std::vector<Part> Health::try_all(Time now) {
    const ca::Issuer& issuer = service_.issuer;
    std::vector<Part> parts;
    parts.push_back(part_of("store", service_.store.write([](store::Tx& tx) -> Result<> {
        return registry::try_to_write(tx);
    })));
    parts.push_back(part_of("signingKey", issuer.key().sign(bytes_of(kProbe))));
    parts.push_back(part_of("issuingCa", ca::check_validity(issuer.certificate(), now)));
    parts.push_back(part_of("revocationLists", service_.store.read([&](store::Reader& reader) {
        return try_lists(reader, issuer.certificate().id(), now);
    })));
    for (const auto& [label, token] : ca::open_tokens()) {
        parts.push_back({"hsm:" + label,
                         token.problem,
                         std::to_string(token.open_sessions) + " sessions, opened again " +
                             std::to_string(token.recoveries) + " times"});
    }
    return parts;
}

std::vector<Part> Health::look(Time now) {
    const std::lock_guard lock(mutex_);
    if (!last_.empty() && now == looked_) return last_;
    auto parts = try_all(now);
    for (const auto& part : parts) {
        const auto before = std::ranges::find(last_, part.name, &Part::name);
        const bool was_good = before == last_.end() || before->problem.empty();
        // Once a spell: whoever asks every second would fill the log.
        if (!part.problem.empty() && was_good) {
            log()->error("unhealthy part={} reason={}", part.name, log_value(part.problem));
        }
        if (part.problem.empty() && !was_good) log()->info("healthy_again part={}", part.name);
    }
    looked_ = now;
    last_ = std::move(parts);
    return last_;
}

}  // namespace hatchery::enroll
