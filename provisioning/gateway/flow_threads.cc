#include "provisioning/gateway/flow_threads.h"

#include "provisioning/gateway/log.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <system_error>

namespace hatchery::gateway {

FlowThreads::FlowThreads(int most) : most_(static_cast<std::size_t>(std::max(1, most))) {}

FlowThreads::~FlowThreads() {
    join();
}

void FlowThreads::join() {
    std::unique_lock lock(mutex_);
    is_ending_ = true;
    posted_.notify_all();
    ended_.wait(lock, [this] { return threads_.empty(); });
    for (auto& thread : done_)
        thread.join();
    done_.clear();
}

void FlowThreads::add(std::unique_ptr<Task> task) {
    std::vector<std::thread> done;
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        start_if_needed();
        done.swap(done_);
    }
    for (auto& thread : done)
        thread.join();
}

void FlowThreads::waiting() {
    const std::lock_guard lock(mutex_);
    ++waiting_;
    start_if_needed();
}

void FlowThreads::going_on() {
    const std::lock_guard lock(mutex_);
    --waiting_;
}

/// Finds somebody for what is in `tasks_`. With the mutex.
void FlowThreads::start_if_needed() {
    posted_.notify_one();
    if (tasks_.size() <= idle_ || working() >= most_) return;
    try {
        std::thread thread([this] { run(); });
        const auto id = thread.get_id();
        threads_.emplace(id, std::move(thread));
    } catch (const std::system_error& error) {
        // Those that run do the work, later; without any, nobody would.
        log().error(
            "flow_thread_failed threads={} reason={}", threads_.size(), log_value(error.what()));
        if (threads_.empty()) throw;
    }
}

void FlowThreads::run() {
    hooks::observe_waits(this);
    std::unique_lock lock(mutex_);
    work(lock);
    const auto self = threads_.find(std::this_thread::get_id());
    done_.push_back(std::move(self->second));
    threads_.erase(self);
    ended_.notify_all();
}

void FlowThreads::work(std::unique_lock<std::mutex>& lock) {
    // More than the most work when those that waited go on: then who is done first ends.
    while (working() <= most_) {
        ++idle_;
        posted_.wait(lock, [this] { return is_ending_ || !tasks_.empty(); });
        --idle_;
        if (tasks_.empty()) return;
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task->run();
        task.reset();
        lock.lock();
    }
}

}  // namespace hatchery::gateway
