#include "hooks/stderr_drain.h"

#include "provisioning/log/log.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace hatchery::hooks {

namespace {

constexpr std::size_t kMaxStderrLine = 1024;
constexpr int kMaxLinesPerSecond = 100;
/// What is still read of a worker that was ended: its last words, not an endless stream of a
/// process that it left behind.
constexpr std::size_t kMaxLastBytes = 65536;

/// Cuts bytes into log lines, with both bounds.
class LineLog {
  public:
    LineLog(const std::string& hook, pid_t pid) : hook_(hook), pid_(pid) {}
    ~LineLog() {
        end_line();
        report_dropped();
    }
    LineLog(const LineLog&) = delete;
    LineLog& operator=(const LineLog&) = delete;

    void add(std::string_view bytes) {
        for (char c : bytes) {
            if (c == '\n') {
                end_line();
            } else if (line_.size() <= kMaxStderrLine) {
                line_ += c;  // one more than fits, so that log_value marks the cut
            }
        }
    }

  private:
    void end_line() {
        if (line_.empty()) return;
        const auto now = std::chrono::steady_clock::now();
        if (now - second_ >= std::chrono::seconds(1)) {
            report_dropped();
            second_ = now;
            logged_ = 0;
        }
        if (logged_ < kMaxLinesPerSecond) {
            ++logged_;
            logger("hooks")->info(
                "worker_stderr hook={} pid={} line={}", hook_, pid_, log_value(line_));
        } else {
            ++dropped_;
        }
        line_.clear();
    }
    void report_dropped() {
        if (dropped_ == 0) return;
        logger("hooks")->warn(
            "worker_stderr_dropped hook={} pid={} lines={}", hook_, pid_, dropped_);
        dropped_ = 0;
    }

    const std::string& hook_;
    pid_t pid_;
    std::string line_;
    std::chrono::steady_clock::time_point second_{};
    int logged_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace

void drain_stderr(int fd, int stop, const std::string& hook, pid_t pid) {
    LineLog log(hook, pid);
    std::array<char, 4096> chunk{};
    std::size_t last_bytes = 0;
    while (last_bytes < kMaxLastBytes) {
        std::array<pollfd, 2> entries{{{fd, POLLIN, 0}, {stop, POLLIN, 0}}};
        if (poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
        const bool is_ending = (entries[1].revents & POLLIN) != 0;
        const ssize_t count = read(fd, chunk.data(), chunk.size());
        if (count == 0) return;
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN || is_ending) return;
            continue;
        }
        log.add({chunk.data(), static_cast<std::size_t>(count)});
        if (is_ending) last_bytes += static_cast<std::size_t>(count);
    }
}

}  // namespace hatchery::hooks
