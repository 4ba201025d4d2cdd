// One worker process of a `command` or `lambda` hook: a line in, a line out. Linux.
#pragma once

#include "hooks/hook.h"

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

/// Where a worker's answers come from.
enum class AnswersOn {
    Stdout,
    Descriptor3  ///< and what it writes to stdout goes to the log, like stderr
};

struct Program {
    std::vector<std::string> argv;                   ///< argv[0] is found on PATH, without a shell
    std::map<std::string, std::string> environment;  ///< added to ours, or instead of it
    AnswersOn answers_on = AnswersOn::Stdout;
};

/// A running process in a process group of its own, with its three streams. Used by one thread at
/// a time. Ends the whole group with this object.
class Worker {
  public:
    /// Starts `program`. Its stderr goes to the log, line by line.
    /// @errors Unavailable  the program can't be started
    static Result<std::unique_ptr<Worker>> start(const std::string& hook, const Program& program);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Alive, and silent since its last answer: a line that it wrote unasked would be taken for
    /// the answer to the next request.
    bool is_idle() const;
    /// Sends `line` and a newline.
    /// @errors Unavailable  it did not read until `deadline`, or closed its input
    Result<> send(std::string_view line, Deadline deadline);
    /// The next line that comes, without its newline. After an error the worker has lost its step
    /// and is of no further use.
    /// @errors Unavailable  nothing until `deadline`, or it closed its output
    /// @errors InvalidRequest  a line over 64 KiB
    Result<std::string> receive(Deadline deadline);
    /// Did more than the last line come with it?
    bool has_more() const { return !received_.empty(); }
    /// The whole lines of it.
    std::vector<std::string> take_lines();
    /// Tells a well-behaved worker to end.
    void close_input() { input_.close(); }
    pid_t pid() const { return pid_; }

  private:
    Worker(std::string hook, pid_t pid, Descriptor input, Descriptor output);
    Result<> start_drain(Descriptor errors);
    Error gone() const;

    std::string hook_;
    pid_t pid_;
    Descriptor input_;
    Descriptor output_;
    std::string received_;  ///< what came behind the last line
    Descriptor stop_;       ///< an eventfd that ends `drain_`
    std::thread drain_;
};

}  // namespace hatchery::hooks
