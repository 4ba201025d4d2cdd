// What the checks share: names of what they look at, findings, walks over pages. This box's own.
#pragma once

#include "provisioning/audit/checks.h"

#include <nlohmann/json.hpp>

namespace hatchery::audit {

/// A resourceIdentifier of AWS's, as text.
inline std::string identifier(nlohmann::ordered_json json) {
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}
inline std::string device_identifier(const CertificateId& id) {
    return identifier({{"deviceCertificateId", id.hex()}});
}
inline std::string ca_identifier(const CertificateId& id) {
    return identifier({{"caCertificateId", id.hex()}});
}

/// What a check is about, one of it, and what is wrong.
struct Wrong {
    std::string identifier, reason, code;
    std::map<std::string, std::string> info{};
    std::vector<registry::AuditResource> related{};
};
inline Result<> report(const Check& check, const Inspection& in, Wrong wrong) {
    registry::AuditFinding finding;
    finding.check = check.name;
    finding.severity = check.severity;
    finding.found = in.now;
    finding.resource = {
        std::string(check.about), std::move(wrong.identifier), std::move(wrong.info)};
    finding.related = std::move(wrong.related);
    finding.reason = std::move(wrong.reason);
    finding.reason_code = std::move(wrong.code);
    return in.found(std::move(finding));
}

/// Every page of a list that is not empty, given to `look`.
template <class List, class Look>
Result<> walk_pages(const Inspection& in, List list, Look look) {
    registry::PageRequest request;
    while (true) {
        auto page = in.store.read([&](store::Reader& reader) { return list(reader, request); });
        if (!page) return std::move(page).error();
        if (page->items.empty()) return {};
        if (Result<> looked = look(page->items); !looked) return looked;
        if (auto on = in.looked_at(static_cast<std::int64_t>(page->items.size())); !on) return on;
        if (!page->next) return {};
        request.after = std::move(*page->next);
    }
}
/// The same, item by item.
template <class List, class Look>
Result<> walk(const Inspection& in, List list, Look look) {
    return walk_pages(in, list, [&](const auto& items) -> Result<> {
        for (const auto& item : items) {
            if (Result<> looked = look(item); !looked) return looked;
        }
        return {};
    });
}

// The checks of policies (policy_checks.cc).
Result<> policy_permissive(const Check& check, const Inspection& in);
Result<> policy_misconfigured(const Check& check, const Inspection& in);
Result<> policy_unused(const Check& check, const Inspection& in);

}  // namespace hatchery::audit
