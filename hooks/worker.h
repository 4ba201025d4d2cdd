// One worker process of a `command` hook: a line in, a line out. Linux.
#pragma once

#include "ca/base/error.h"

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace hatchery::hooks {

using Deadline = std::chrono::steady_clock::time_point;

/// An open file descriptor, closed with this object.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { close(); }
    int get() const { return fd_; }
    void close();

  private:
    int fd_ = -1;
};

/// A running process in a process group of its own, with its three streams. Used by one thread at
/// a time. Ends the whole group with this object.
class Worker {
  public:
    /// Starts argv[0], found on PATH, without a shell. Its stderr goes to the log, line by line.
    /// @errors Unavailable  the program can't be started
    static Result<std::unique_ptr<Worker>> start(const std::string& hook,
                                                 const std::vector<std::string>& argv);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Sends `line` and a newline, returns the one line that comes back, without its newline.
    /// After an error the worker has lost its step and is of no further use.
    /// @errors Unavailable  nothing until `deadline`; it closed its input or output
    /// @errors InvalidRequest  a line over 64 KiB, or output that nobody asked for
    Result<std::string> ask(std::string_view line, Deadline deadline);
    /// Tells a well-behaved worker to end.
    void close_input() { input_.close(); }
    pid_t pid() const { return pid_; }

  private:
    Worker(std::string hook, pid_t pid, Descriptor input, Descriptor output);
    Result<> start_drain(Descriptor errors);
    Result<> send(std::string_view line, Deadline deadline);
    Result<std::string> receive(Deadline deadline);
    Result<> check_silent() const;
    Error gone() const;

    std::string hook_;
    pid_t pid_;
    Descriptor input_;
    Descriptor output_;
    Descriptor stop_;  ///< an eventfd that ends `drain_`
    std::thread drain_;
};

}  // namespace hatchery::hooks
