#include "ca/digest.h"
#include "provisioning/flows/service.h"

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace hatchery::flows {

namespace {

// Two generations bound the cache without a list to maintain on every hit: an entry that is asked
// for moves to the young one; when that is full it becomes the old one and the former old one goes.
template <class T>
class Generations {
  public:
    explicit Generations(std::size_t most) : most_(most / 2) {}

    std::optional<T> find(const std::string& key) {
        const std::lock_guard lock(mutex_);
        if (auto hit = young_.find(key); hit != young_.end()) return hit->second;
        auto hit = old_.find(key);
        if (hit == old_.end()) return std::nullopt;
        T value = hit->second;
        put_locked(key, value);
        return value;
    }

    void put(const std::string& key, const T& value) {
        const std::lock_guard lock(mutex_);
        put_locked(key, value);
    }

  private:
    void put_locked(const std::string& key, const T& value) {
        if (young_.size() >= most_) {
            old_ = std::move(young_);
            young_.clear();
        }
        young_.insert_or_assign(key, value);
    }

    const std::size_t most_;
    std::mutex mutex_;  // guards both maps
    std::unordered_map<std::string, T> young_, old_;
};

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
