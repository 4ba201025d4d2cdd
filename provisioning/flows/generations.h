// A bounded map for caches. Private.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace hatchery::flows {

/// Two generations bound the cache without a list to maintain on every hit: an entry that is asked
/// for moves to the young one; when that is full it becomes the old one and the former old one
/// goes. Thread-safe.
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

}  // namespace hatchery::flows
