#include "provisioning/flows/key_pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace hatchery::flows {

namespace {

constexpr std::chrono::seconds kRetryAfter{1};

}  // namespace

// `mutex` guards `keys` and `stopping`; keys are made outside it.
struct KeyPool::Impl {
    Impl(ca::KeyKind wanted, std::size_t most) : kind(wanted), capacity(most) {
        keys.reserve(capacity);
        filler = std::thread([this] { fill(); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        changed.notify_all();
        filler.join();
    }

    void fill() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return stopping || keys.size() < capacity; });
            if (stopping) return;
            lock.unlock();
            auto key = ca::PrivateKey::generate(kind);
            lock.lock();
            // A generator that fails is reported by take(), whose caller tries itself; trying again
            // here at once would only spin.
            if (!key) changed.wait_for(lock, kRetryAfter, [this] { return stopping; });
            if (key) keys.push_back(std::move(*key));
        }
    }

    std::optional<ca::PrivateKey> pop() {
        std::optional<ca::PrivateKey> key;
        {
            const std::lock_guard lock(mutex);
            if (!keys.empty()) {
                key = std::move(keys.back());
                keys.pop_back();
            }
        }
        changed.notify_one();
        return key;
    }

    const ca::KeyKind kind;
    const std::size_t capacity;
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::vector<ca::PrivateKey> keys;
    bool stopping = false;
    std::thread filler;
};

KeyPool::KeyPool(ca::KeyKind kind, std::size_t capacity)
    : impl_(std::make_unique<Impl>(kind, std::max<std::size_t>(capacity, 1))) {}
KeyPool::~KeyPool() = default;

ca::KeyKind KeyPool::kind() const {
    return impl_->kind;
}

std::size_t KeyPool::ready() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->keys.size();
}

Result<ca::PrivateKey> KeyPool::take() {
    if (auto key = impl_->pop()) return std::move(*key);
    return ca::PrivateKey::generate(impl_->kind);
}

}  // namespace hatchery::flows
