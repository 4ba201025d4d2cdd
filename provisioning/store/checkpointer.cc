#include "provisioning/store/checkpointer.h"

#include <utility>

namespace hatchery::store {

namespace {

// Readers that come without a pause keep the log from starting anew; whoever waits for them waits
// no longer than this.
constexpr std::chrono::milliseconds kPatienceWithReaders{50};

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)), thread_([this] { loop(); }) {}

Checkpointer::~Checkpointer() {
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Checkpointer::start(Readers readers) {
    {
        std::lock_guard lock(mutex_);
        if (!progress_.is_idle || progress_.failure) return;
        progress_.is_idle = false;
        readers_ = readers;
    }
    changed_.notify_all();
}

void Checkpointer::wait_until_idle() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return progress_.is_idle; });
}

Checkpointer::Progress Checkpointer::progress() const {
    std::lock_guard lock(mutex_);
    return progress_;
}

void Checkpointer::loop() {
    connection_->set_busy_timeout(kPatienceWithReaders);
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return stopping_ || !progress_.is_idle; });
        if (progress_.is_idle) return;
        const bool wait_for_readers = readers_ == Readers::WaitFor;
        lock.unlock();
        auto moved = connection_->checkpoint(wait_for_readers);
        lock.lock();
        if (moved) progress_.moved = *moved;
        // Anything else passes: a full disk, another process that is at it. The next pass tries.
        if (!moved && connection_->damage() == Damage::Disk)
            progress_.failure = std::move(moved).error();
        progress_.is_idle = true;
        changed_.notify_all();
    }
}

}  // namespace hatchery::store
