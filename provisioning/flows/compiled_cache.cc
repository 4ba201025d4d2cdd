#include "ca/digest.h"
#include "provisioning/flows/generations.h"
#include "provisioning/flows/service.h"
#include "provisioning/registry/access.h"

#include <string>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kMostCas = 256;
constexpr std::size_t kMostNamed = 256;

std::string key_of(char kind, std::string_view text) {
    const auto digest = ca::sha256(bytes_of(text));
    std::string key(1, kind);
    key.append(text_of(digest));
    return key;
}

/// A record as it was at an identity generation.
template <class T>
struct AsOf {
    std::uint64_t generation = 0;
    T record;
};

/// The record as of `generation`, or else what `read` finds now.
template <class T, class Read>
Result<T> record_as_of(Generations<AsOf<T>>& records,
                       const std::string& key,
                       std::uint64_t generation,
                       Read read) {
    if (auto known = records.find(key); known && known->generation == generation) {
        return std::move(known->record);
    }
    Result<T> found = read();
    if (found) records.put(key, {generation, *found});
    return found;
}

using StationNames = std::shared_ptr<const std::map<CertificateId, std::string>>;

}  // namespace

struct CompiledCache::Impl {
    Generations<templates::Template> templates{kMostEntries};
    Generations<policy::Document> policies{kMostEntries};
    Generations<ca::Certificate> cas{kMostCas};
    Generations<AsOf<registry::ProvisioningTemplate>> named_templates{kMostNamed};
    Generations<AsOf<CaRecords>> ca_records{kMostCas};
    Generations<AsOf<StationNames>> stations{2};  // one list
};

CompiledCache::CompiledCache() : impl_(std::make_unique<Impl>()) {}
CompiledCache::~CompiledCache() = default;

Result<templates::Template> CompiledCache::provisioning_template(std::string_view body,
                                                                 templates::Kind kind) {
    const std::string key = key_of(static_cast<char>('0' + static_cast<int>(kind)), body);
    if (auto known = impl_->templates.find(key)) return std::move(*known);
    auto compiled = templates::compile(body, kind);
    if (!compiled.value) return templates::to_error(compiled);
    impl_->templates.put(key, *compiled.value);
    return std::move(*compiled.value);
}

Result<policy::Document> CompiledCache::policy_document(std::string_view text) {
    const std::string key = key_of('p', text);
    if (auto known = impl_->policies.find(key)) return std::move(*known);
    auto compiled = policy::compile(text);
    if (compiled) impl_->policies.put(key, *compiled);
    return compiled;
}

Result<ca::Certificate> CompiledCache::ca_certificate(const registry::CaCertificate& record) {
    const std::string key(text_of(record.id.view()));
    if (auto known = impl_->cas.find(key)) return std::move(*known);
    auto parsed = ca::Certificate::from_der(record.der);
    if (parsed) impl_->cas.put(key, *parsed);
    return parsed;
}

Result<registry::ProvisioningTemplate> CompiledCache::named_template(store::Reader& reader,
                                                                     const std::string& name,
                                                                     std::uint64_t generation) {
    return record_as_of(impl_->named_templates, name, generation, [&] {
        return registry::find_template(reader, name);
    });
}

Result<CaRecords> CompiledCache::cas_by_subject(store::Reader& reader,
                                                ByteView subject_der,
                                                std::uint64_t generation) {
    const std::string key(text_of(subject_der));
    return record_as_of(impl_->ca_records, key, generation, [&]() -> Result<CaRecords> {
        auto found = registry::find_cas_by_subject(reader, subject_der);
        if (!found) return std::move(found).error();
        return std::make_shared<const std::vector<registry::CaCertificate>>(std::move(*found));
    });
}

Result<std::optional<std::string>> CompiledCache::station_of(store::Reader& reader,
                                                             const CertificateId& certificate,
                                                             std::uint64_t generation) {
    auto names = record_as_of(impl_->stations, "all", generation, [&]() -> Result<StationNames> {
        auto all = registry::stations(reader);
        if (!all) return std::move(all).error();
        std::map<CertificateId, std::string> by_certificate;
        for (auto& station : *all)
            by_certificate.emplace(station.certificate, std::move(station.name));
        return std::make_shared<const std::map<CertificateId, std::string>>(
            std::move(by_certificate));
    });
    if (!names) return std::move(names).error();
    const auto found = (*names)->find(certificate);
    if (found == (*names)->end()) return std::optional<std::string>();
    return std::optional(found->second);
}

}  // namespace hatchery::flows
