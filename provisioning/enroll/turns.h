// One at a time for equal requests, all at once for others: the first answers, and the next finds
// its certificate in the store.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

namespace hatchery::enroll {

/// Thread-safe; holds no more than the requests that are being answered.
class Turns {
  public:
    /// Its owner is alone with this key until it goes.
    class Turn {
      public:
        ~Turn() { turns_.end(key_); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

      private:
        friend class Turns;
        Turn(Turns& turns, const std::string& key) : turns_(turns), key_(turns.begin(key)) {}
        Turns& turns_;
        std::set<std::string>::iterator key_;
    };
    /// Waits until nobody else has `key`. Turns must outlive it.
    [[nodiscard]] Turn take(const std::string& key) { return {*this, key}; }

  private:
    std::set<std::string>::iterator begin(const std::string& key);
    void end(std::set<std::string>::iterator key);

    std::mutex mutex_;  // guards what is below
    std::condition_variable ended_;
    std::set<std::string> taken_;
    int waiting_ = 0;
};

}  // namespace hatchery::enroll
