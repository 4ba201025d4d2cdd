// Bytes that a socket has not taken yet.
#pragma once

#include "ca/base/bytes.h"

namespace hatchery::gateway {

/// A queue of bytes whose front is removed without moving the rest each time.
class Outbox {
  public:
    bool empty() const { return sent_ == bytes_.size(); }
    std::size_t size() const { return bytes_.size() - sent_; }
    ByteView view() const { return ByteView(bytes_).subspan(sent_); }
    void append(ByteView more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
    /// The first `count` bytes are on their way. @pre count <= size()
    void consume(std::size_t count) {
        sent_ += count;
        if (empty()) {
            Bytes().swap(bytes_);  // idle connections keep nothing
            sent_ = 0;
        } else if (sent_ > bytes_.size() / 2) {
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
            sent_ = 0;
        }
    }

  private:
    Bytes bytes_;
    std::size_t sent_ = 0;
};

}  // namespace hatchery::gateway
