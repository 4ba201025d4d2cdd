#include "hooks/worker.h"

#include "hooks/stderr_drain.h"
#include "provisioning/log/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace hatchery::hooks {

namespace {

constexpr std::size_t kMaxLineBytes = 65536;
/// How long an ending worker may take before it is killed.
constexpr std::chrono::milliseconds kGrace{200};

std::string errno_text(int error) {
    return std::system_category().message(error);
}

int milliseconds_until(Deadline deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

/// Waits until `fd` is ready; false when the deadline has passed.
bool wait_for(int fd, short events, Deadline deadline) {
    while (true) {
        pollfd entry{fd, events, 0};
        const int left = milliseconds_until(deadline);
        const int ready = poll(&entry, 1, left);
        if (ready > 0) return true;
        if (ready == 0 && left == 0) return false;
        if (ready < 0 && errno != EINTR) return false;
    }
}

/// Keeps a write to a closed pipe from raising SIGPIPE in this thread, whatever the process does
/// with that signal otherwise.
class SigpipeGuard {
  public:
    SigpipeGuard() {
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        sigemptyset(&sigpipe_);
        sigaddset(&sigpipe_, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
    }
    ~SigpipeGuard() {
        if (!was_pending_) {
            const timespec no_wait{0, 0};
            while (sigtimedwait(&sigpipe_, nullptr, &no_wait) < 0 && errno == EINTR) {
            }
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    SigpipeGuard(const SigpipeGuard&) = delete;
    SigpipeGuard& operator=(const SigpipeGuard&) = delete;

  private:
    sigset_t sigpipe_{};
    sigset_t before_{};
    bool was_pending_ = false;
};

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(Code::Unavailable, "can't make a pipe: " + errno_text(errno));
    }
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

void set_nonblocking(int fd) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Our environment with `added`, and without the passphrase of the CA's keys, which is no business
/// of a hook.
std::vector<std::string> environment(const std::map<std::string, std::string>& added) {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text(*variable);
        const std::string name(text.substr(0, text.find('=')));
        if (name != "HATCHERY_PASSPHRASE" && !added.contains(name)) variables.emplace_back(text);
    }
    for (const auto& [name, value] : added)
        variables.push_back(name + "=" + value);
    return variables;
}

/// The array that exec wants; `texts` must outlive it.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (auto& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// posix_spawn's two option objects, for a child that inherits its streams and nothing else:
/// no descriptor of ours (a device's socket would stay open in it), no signal mask or disposition.
class SpawnOptions {
  public:
    SpawnOptions(int input, int output, int errors, AnswersOn answers_on) {
        const bool is_third = answers_on == AnswersOn::Descriptor3;
        const int first_closed = STDERR_FILENO + (is_third ? 2 : 1);
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions_, is_third ? errors : output, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
        // Last, as one of the others may have been number 3 itself.
        if (is_third) posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO + 1);
        posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed);
        posix_spawnattr_init(&attributes_);
        sigset_t none;
        sigemptyset(&none);
        sigset_t all;
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setpgroup(&attributes_, 0);  // a group of its own, to kill it whole
        posix_spawnattr_setflags(&attributes_,
                                 static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF));
    }
    ~SpawnOptions() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnOptions(const SpawnOptions&) = delete;
    SpawnOptions& operator=(const SpawnOptions&) = delete;

    Result<pid_t> spawn(const Program& program) const {
        auto arguments = program.argv;
        auto variables = environment(program.environment);
        const auto argv = pointers_to(arguments);
        const auto envp = pointers_to(variables);
        pid_t pid = 0;
        const int error =
            posix_spawnp(&pid, argv[0], &actions_, &attributes_, argv.data(), envp.data());
        if (error != 0) {
            return fail(Code::Unavailable,
                        "can't start " + program.argv[0] + ": " + errno_text(error));
        }
        return pid;
    }

  private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

/// Waits for the end of `pid` without collecting it, so that its number stays ours.
void wait_for_end(pid_t pid, std::chrono::milliseconds limit) {
    const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (process.get() >= 0) {
        wait_for(process.get(), POLLIN, std::chrono::steady_clock::now() + limit);
    }
}

std::string describe(const siginfo_t& info) {
    if (info.si_pid == 0) return "it closed its input or output";
    return (info.si_code == CLD_EXITED ? "it exited with status " : "it was ended by signal ") +
           std::to_string(info.si_status);
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

void Descriptor::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

Result<std::unique_ptr<Worker>> Worker::start(const std::string& hook, const Program& program) {
    auto input = make_pipe();
    if (!input) return std::move(input).error();
    auto output = make_pipe();
    if (!output) return std::move(output).error();
    auto errors = make_pipe();
    if (!errors) return std::move(errors).error();
    const SpawnOptions options(
        input->read.get(), output->write.get(), errors->write.get(), program.answers_on);
    auto pid = options.spawn(program);
    if (!pid) return std::move(pid).error();
    set_nonblocking(input->write.get());
    set_nonblocking(output->read.get());
    set_nonblocking(errors->read.get());
    logger("hooks")->info("worker_started hook={} pid={}", hook, *pid);
    std::unique_ptr<Worker> worker(
        new Worker(hook, *pid, std::move(input->write), std::move(output->read)));
    if (auto drained = worker->start_drain(std::move(errors->read)); !drained) {
        return std::move(drained).error();
    }
    return worker;
}

Worker::Worker(std::string hook, pid_t pid, Descriptor input, Descriptor output)
    : hook_(std::move(hook)), pid_(pid), input_(std::move(input)), output_(std::move(output)) {}

Result<> Worker::start_drain(Descriptor errors) {
    stop_ = Descriptor(eventfd(0, EFD_CLOEXEC));
    if (stop_.get() < 0) {
        return fail(Code::Unavailable, "can't make an eventfd: " + errno_text(errno));
    }
    try {
        drain_ =
            std::thread([errors = std::move(errors), stop = stop_.get(), hook = hook_, pid = pid_] {
                drain_stderr(errors.get(), stop, hook, pid);
            });
    } catch (const std::system_error& error) {
        return fail(Code::Unavailable, std::string("can't start a thread: ") + error.what());
    }
    return {};
}

Worker::~Worker() {
    const bool is_told_to_end = input_.get() < 0;
    if (is_told_to_end) wait_for_end(pid_, kGrace);
    // The group dies before its leader is collected: until then no other process can have its id.
    kill(-pid_, SIGKILL);
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    if (drain_.joinable()) {
        eventfd_write(stop_.get(), 1);
        drain_.join();
    }
    logger("hooks")->info(
        "worker_ended hook={} pid={} how={}", hook_, pid_, log_value(describe(info)));
}

bool Worker::is_idle() const {
    pollfd entry{output_.get(), POLLIN, 0};
    return received_.empty() && poll(&entry, 1, 0) == 0;
}

Result<> Worker::send(std::string_view line, Deadline deadline) {
    const SigpipeGuard guard;
    std::string text(line);
    text += '\n';
    std::string_view rest = text;
    while (!rest.empty()) {
        if (!wait_for(input_.get(), POLLOUT, deadline)) {
            return fail(Code::Unavailable, "the worker did not read its input in time");
        }
        const ssize_t written = write(input_.get(), rest.data(), rest.size());
        if (written >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            return gone();
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail(Code::Unavailable, "can't write to the worker: " + errno_text(errno));
        }
    }
    return {};
}

Result<std::string> Worker::receive(Deadline deadline) {
    std::array<char, 4096> chunk{};
    std::size_t searched = 0;
    while (true) {
        const auto newline = received_.find('\n', searched);
        if (std::min(newline, received_.size()) > kMaxLineBytes) {
            return fail(Code::InvalidRequest, "expected an answer of at most 65536 bytes");
        }
        if (newline != std::string::npos) {
            std::string line = received_.substr(0, newline);
            received_.erase(0, newline + 1);
            return line;
        }
        searched = received_.size();
        if (!wait_for(output_.get(), POLLIN, deadline)) {
            return fail(Code::Unavailable, "the worker did not answer in time");
        }
        const ssize_t count = read(output_.get(), chunk.data(), chunk.size());
        if (count == 0) return gone();
        if (count < 0) {
            if (errno == EAGAIN || errno == EINTR) continue;
            return fail(Code::Unavailable, "can't read from the worker: " + errno_text(errno));
        }
        received_.append(chunk.data(), static_cast<std::size_t>(count));
    }
}

std::vector<std::string> Worker::take_lines() {
    std::vector<std::string> lines;
    for (auto end = received_.find('\n'); end != std::string::npos; end = received_.find('\n')) {
        lines.push_back(received_.substr(0, end));
        received_.erase(0, end + 1);
    }
    return lines;
}

Error Worker::gone() const {
    wait_for_end(pid_, kGrace);
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return fail(Code::Unavailable, "the worker did not answer: " + describe(info));
}

}  // namespace hatchery::hooks
