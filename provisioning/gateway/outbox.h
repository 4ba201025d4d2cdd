// Bytes that a socket has not taken yet.
#pragma once

#include "ca/base/secret.h"

#include <algorithm>
#include <utility>

namespace hatchery::gateway {

/// A queue of bytes whose front is removed without moving the rest each time. An answer with a
/// private key may wait here, so memory is wiped before it is given back.
class Outbox {
  public:
    bool empty() const { return sent_ == bytes_.size(); }
    std::size_t size() const { return bytes_.size() - sent_; }
    ByteView view() const { return ByteView(bytes_).subspan(sent_); }
    void append(ByteView more) {
        if (bytes_.capacity() - bytes_.size() < more.size()) {
            Bytes larger;
            larger.reserve(std::max(2 * bytes_.capacity(), size() + more.size()));
            larger.insert(larger.end(), view().begin(), view().end());
            replace(std::move(larger));
        }
        bytes_.insert(bytes_.end(), more.begin(), more.end());
    }
    /// The first `count` bytes are on their way. @pre count <= size()
    void consume(std::size_t count) {
        sent_ += count;
        if (empty()) {
            replace({});  // idle connections keep nothing
        } else if (sent_ > bytes_.size() / 2) {
            replace(to_bytes(view()));
        }
    }
    Outbox() = default;
    ~Outbox() { replace({}); }
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;

  private:
    void replace(Bytes bytes) {
        const Secret wiped(std::exchange(bytes_, std::move(bytes)));
        sent_ = 0;
    }
    Bytes bytes_;
    std::size_t sent_ = 0;
};

}  // namespace hatchery::gateway
