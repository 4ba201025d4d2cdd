#include "ca/digest.h"
#include "provisioning/flows/generations.h"
#include "provisioning/flows/service.h"

#include <string>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMostEntries = 4096;
constexpr std::size_t kMostCas = 256;

std::string key_of(char kind, std::string_view text) {
    const auto digest = ca::sha256(bytes_of(text));
    std::string key(1, kind);
    key.append(text_of(digest));
    return key;
}

}  // namespace

struct CompiledCache::Impl {
    Generations<templates::Template> templates{kMostEntries};
    Generations<policy::Document> policies{kMostEntries};
    Generations<ca::Certificate> cas{kMostCas};
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

}  // namespace hatchery::flows
