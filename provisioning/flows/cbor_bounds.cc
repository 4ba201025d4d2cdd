#include "provisioning/flows/payload.h"

namespace hatchery::flows {

namespace {

constexpr std::uint8_t kIndefinite = 31;
constexpr std::uint8_t kBreak = 0xff;

// An open array, map or indefinite-length string.
struct Open {
    std::uint64_t left = 0;  // items still to come; unused when indefinite
    bool indefinite = false;
    bool is_map = false;
    bool has_key = false;     // indefinite map: a key waits for its value
    std::uint8_t chunks = 0;  // major type of an indefinite string's chunks, or 0
};

class Walk {
  public:
    Walk(ByteView bytes, std::size_t max_depth) : bytes_(bytes), max_depth_(max_depth) {}

    bool run() {
        while (at_ < bytes_.size()) {
            if (!item()) return false;
            if (open_.empty()) return at_ == bytes_.size();
        }
        return false;
    }

  private:
    // The argument of a head with additional information `info` (RFC 8949 3).
    bool argument(std::uint8_t info, std::uint64_t& value) {
        value = info;
        if (info < 24) return true;
        if (info > 27) return false;
        const std::size_t size = std::size_t{1} << (info - 24);
        if (bytes_.size() - at_ < size) return false;
        value = 0;
        for (std::size_t i = 0; i < size; ++i)
            value = value << 8 | bytes_[at_++];
        return true;
    }

    bool item() {
        const std::uint8_t head = bytes_[at_++];
        if (head == kBreak) return close_indefinite();
        const auto major = static_cast<std::uint8_t>(head >> 5);
        const auto info = static_cast<std::uint8_t>(head & 0x1f);
        if (!open_.empty() && open_.back().chunks != 0) {
            // Chunks are definite strings of the same type (RFC 8949 3.2.3).
            if (major != open_.back().chunks || info == kIndefinite) return false;
            return skip_string(info);
        }
        switch (major) {
            case 2:
            case 3:
                if (info == kIndefinite) return open({0, true, false, false, major});
                return skip_string(info) && finish_item();
            case 4:
            case 5:
                return open_container(major == 5, info);
            case 6:
                return false;  // no member of this API is tagged
            default: {
                std::uint64_t ignored = 0;
                return argument(info, ignored) && finish_item();
            }
        }
    }

    bool skip_string(std::uint8_t info) {
        std::uint64_t length = 0;
        if (!argument(info, length) || length > bytes_.size() - at_) return false;
        at_ += static_cast<std::size_t>(length);
        return true;
    }

    bool open_container(bool is_map, std::uint8_t info) {
        if (info == kIndefinite) return open({0, true, is_map, false, 0});
        std::uint64_t count = 0;
        // Each item takes a byte at least, so a count beyond the rest is a lie.
        if (!argument(info, count) || count > bytes_.size() - at_) return false;
        if (count == 0) return finish_item();
        return open({is_map ? 2 * count : count, false, is_map, false, 0});
    }

    bool open(Open container) {
        if (open_.size() >= max_depth_) return false;
        open_.push_back(container);
        return true;
    }

    bool close_indefinite() {
        if (open_.empty() || !open_.back().indefinite || open_.back().has_key) return false;
        open_.pop_back();
        return finish_item();
    }

    // Counts a finished item in what encloses it, which may finish in turn.
    bool finish_item() {
        while (!open_.empty()) {
            auto& top = open_.back();
            if (top.indefinite) {
                if (top.is_map) top.has_key = !top.has_key;
                return true;
            }
            if (--top.left > 0) return true;
            open_.pop_back();
        }
        return true;
    }

    ByteView bytes_;
    std::size_t max_depth_;
    std::size_t at_ = 0;
    std::vector<Open> open_;
};

}  // namespace

bool is_bounded_cbor(ByteView payload, std::size_t max_depth) {
    return Walk(payload, max_depth).run();
}

bool is_bounded_json(std::string_view text, std::size_t max_depth) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth) return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return true;
}

}  // namespace hatchery::flows
