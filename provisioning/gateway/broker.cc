// A mosquitto of our own: configuration, socket, lock and the thread that starts, hears, restarts
// and ends it.
#include "provisioning/gateway/gateway.h"
#include "provisioning/gateway/log.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/logger.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <system_error>
#include <thread>

namespace hatchery::gateway {
namespace {

using std::filesystem::path;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kConfigName = "mosquitto.conf";
constexpr std::string_view kSocketName = "mosquitto.sock";
constexpr std::string_view kLockName = "mosquitto.lock";
constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kMaxOutput = 2048;  // of what it printed, for an error message
constexpr std::chrono::seconds kStartTimeout{15};
constexpr std::chrono::seconds kBrokerStopTimeout{10};
constexpr std::chrono::milliseconds kPoll{20};
constexpr std::chrono::milliseconds kFirstRestartPause{100};
constexpr std::chrono::milliseconds kLastRestartPause{5'000};

std::string system_message(std::string_view what) {
    return std::string(what) + ": " + std::error_code(errno, std::generic_category()).message();
}

/// An open file descriptor. Closed on exec unless said otherwise.
class File {
  public:
    explicit File(int fd = -1) : fd_(fd) {}
    File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    File& operator=(File&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

struct Pipe {
    File read;
    File write;
};
Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(Code::Unavailable, system_message("pipe"));
    }
    return Pipe{File(ends[0]), File(ends[1])};
}

/// Where the broker's files are. The socket moves to a short private folder if the data directory's
/// path does not fit into a socket address or into a line of mosquitto's configuration.
struct Layout {
    path directory;
    path socket;
    path private_folder;  // to be removed at the end; empty if there is none
};

Result<path> make_directory(const path& directory) {
    std::error_code error;
    const path absolute = std::filesystem::absolute(directory, error);
    if (!error) std::filesystem::create_directories(absolute, error);
    if (!error) std::filesystem::permissions(absolute, std::filesystem::perms::owner_all, error);
    if (error) {
        return fail(Code::Unavailable, "broker directory: " + error.message(), directory.string());
    }
    return absolute;
}

Result<Layout> lay_out(const path& directory) {
    Layout layout;
    std::error_code error;
    layout.directory = directory;
    layout.socket = layout.directory / kSocketName;
    const std::string& text = layout.socket.native();
    if (text.size() <= kMaxSocketPath && text.find_first_of(" \t\r\n") == std::string::npos) {
        return layout;
    }
    std::string folder = (std::filesystem::temp_directory_path(error) / "hatchery-XXXXXX").string();
    if (error || ::mkdtemp(folder.data()) == nullptr) {
        return fail(Code::Unavailable, system_message("folder for the broker's socket"));
    }
    layout.private_folder = folder;
    layout.socket = layout.private_folder / kSocketName;
    return layout;
}

Result<> write_config(const Layout& layout) {
    std::ofstream file(layout.directory / kConfigName, std::ios::trunc);
    file << "# Written by hatchery at every start.\n"
         << "listener 0 " << layout.socket.native() << "\n"
         << "allow_anonymous true\n"  // the socket's folder is ours alone
         << "persistence true\n"
         << "persistence_location ./\n"
         << "autosave_interval 60\n"
         << "sys_interval 0\n"
         << "max_queued_messages 1000\n"
         << "max_packet_size 8388608\n"  // below Session::Limits::max_upstream_packet_bytes
         << "max_keepalive 65535\n"
         << "connection_messages false\n"
         << "log_dest stderr\n"
         << "log_timestamp false\n"
         << "log_type error\n";
    // Started as root it would give up its rights before it binds the socket in our folder.
    if (::geteuid() == 0) file << "user root\n";
    file.close();
    if (!file) {
        return fail(Code::Unavailable,
                    "cannot write the broker's configuration",
                    (layout.directory / kConfigName).string());
    }
    return {};
}

/// Waits until no earlier broker of this directory lives: one that outlived a killed server still
/// writes its database. The child inherits the lock and so holds it as long as it lives.
Result<File> lock(const path& directory) {
    const path file = directory / kLockName;
    File handle(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (handle.get() < 0) return fail(Code::Unavailable, system_message(file.string()));
    const auto until = Clock::now() + kStartTimeout;
    while (::flock(handle.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail(Code::Unavailable, system_message(file.string()));
        }
        if (Clock::now() > until) {
            return fail(Code::Unavailable, "another broker runs in this directory", file.string());
        }
        std::this_thread::sleep_for(kPoll);
    }
    return handle;
}

bool accepts(const path& socket) {
    const File handle(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string& text = socket.native();
    std::copy(text.begin(), text.end(), address.sun_path);
    return ::connect(handle.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
           0;
}

/// What the child does between fork and exec: only calls that are safe there (signal-safety(7)).
[[noreturn]] void become_broker(const std::array<const char*, 4>& arguments,
                                const char* directory,
                                int output,
                                int lock,
                                pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // it saves its database and ends with us
    if (::getppid() != parent) ::_exit(126);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::fcntl(lock, F_SETFD, 0);
    if (::chdir(directory) == 0) {
        // execv's type is older than const
        ::execv(arguments[0], const_cast<char* const*>(arguments.data()));
    }
    ::_exit(127);
}

class Mosquitto final : public Broker {
  public:
    Mosquitto(path executable, Layout layout, File lock, Pipe wake)
        : executable_(std::move(executable)),
          layout_(std::move(layout)),
          lock_(std::move(lock)),
          wake_(std::move(wake)) {
        // The death signal follows the thread that forks, so this one lives as long as we do.
        supervisor_ = std::thread([this] { supervise(); });
    }

    ~Mosquitto() override {
        {
            const std::lock_guard guard(mutex_);
            is_stopping_ = true;
        }
        const char byte = 0;
        [[maybe_unused]] const auto written = ::write(wake_.write.get(), &byte, 1);
        supervisor_.join();
        std::error_code ignored;
        std::filesystem::remove(layout_.socket, ignored);
        if (!layout_.private_folder.empty()) {
            std::filesystem::remove(layout_.private_folder, ignored);
        }
    }

    std::string upstream() const override { return "unix:" + layout_.socket.native(); }

    /// Until the socket accepts. @errors Unavailable  it ended first, or the time is over
    Result<> wait_until_ready() {
        const auto until = Clock::now() + kStartTimeout;
        while (Clock::now() < until) {
            if (accepts(layout_.socket)) return {};
            std::unique_lock guard(mutex_);
            changed_.wait_for(guard, kPoll, [this] { return exits_ > 0; });
            if (exits_ > 0) {
                return fail(Code::Unavailable, "the broker ended: " + output_, executable_);
            }
        }
        const std::lock_guard guard(mutex_);
        return fail(Code::Unavailable, "the broker does not accept: " + output_, executable_);
    }

  private:
    void supervise() {
        auto backoff = kFirstRestartPause;
        while (!is_stopping()) {
            const auto since = Clock::now();
            run_once();
            if (is_stopping()) break;
            if (Clock::now() - since > kLastRestartPause) backoff = kFirstRestartPause;
            log().error("broker_ended restart_in_ms={}", backoff.count());
            pollfd wake{wake_.read.get(), POLLIN, 0};
            ::poll(&wake, 1, static_cast<int>(backoff.count()));
            backoff = std::min(backoff * 2, kLastRestartPause);
        }
    }

    /// One life of the child: starts it, logs what it prints, ends it when asked to, collects it.
    void run_once() {
        auto output = make_pipe();
        if (!output) return ended(output.error().message);
        const std::string executable = executable_.native();
        const std::string config(kConfigName);
        const std::string directory = layout_.directory.native();
        const std::array<const char*, 4> arguments{
            executable.c_str(), "-c", config.c_str(), nullptr};
        std::error_code ignored;
        std::filesystem::remove(layout_.socket, ignored);  // of one that was killed
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child == 0) {
            become_broker(arguments, directory.c_str(), output->write.get(), lock_.get(), parent);
        }
        if (child < 0) return ended(system_message("fork"));
        output->write = File();
        listen(child, output->read);
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        ended(WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                : "signal " + std::to_string(WTERMSIG(status)));
    }

    /// Reads what the child prints until it has ended.
    void listen(pid_t child, const File& output) {
        std::optional<Clock::time_point> kill_at;
        std::string line;
        for (;;) {
            std::array<pollfd, 2> events{pollfd{output.get(), POLLIN, 0},
                                         pollfd{kill_at ? -1 : wake_.read.get(), POLLIN, 0}};
            ::poll(events.data(), events.size(), 500);
            if (is_stopping() && !kill_at) {
                ::kill(child, SIGTERM);
                kill_at = Clock::now() + kBrokerStopTimeout;
            }
            if (kill_at && Clock::now() > *kill_at) ::kill(child, SIGKILL);
            if (events[0].revents == 0) continue;
            std::array<char, 1024> chunk{};
            const auto count = ::read(output.get(), chunk.data(), chunk.size());
            if (count <= 0) return;
            heard({chunk.data(), static_cast<std::size_t>(count)}, line);
        }
    }

    void heard(std::string_view text, std::string& line) {
        {
            const std::lock_guard guard(mutex_);
            output_.append(text);
            if (output_.size() > kMaxOutput) output_.erase(0, output_.size() - kMaxOutput);
        }
        for (const char c : text) {
            if (c != '\n' && line.size() < kMaxOutput) {
                line += c;
                continue;
            }
            // It runs as we do, in a folder of ours: see write_config.
            const bool is_about_root = line.find("should not be run as root") != std::string::npos;
            if (!is_about_root) log().warn("broker line={}", log_value(line));
            line.clear();
        }
    }

    void ended(const std::string& how) {
        const std::lock_guard guard(mutex_);
        ++exits_;
        output_ += (output_.empty() || output_.ends_with('\n') ? "" : "; ") + how;
        changed_.notify_all();
    }

    bool is_stopping() {
        const std::lock_guard guard(mutex_);
        return is_stopping_;
    }

    path executable_;
    Layout layout_;
    File lock_;
    Pipe wake_;
    std::mutex mutex_;  // guards the four members below
    std::condition_variable changed_;
    bool is_stopping_ = false;
    int exits_ = 0;
    std::string output_;
    std::thread supervisor_;
};

}  // namespace

Result<std::unique_ptr<Broker>> Broker::start(const path& executable, const path& directory) {
    if (::access(executable.c_str(), X_OK) != 0) {
        return fail(Code::Unavailable, system_message("broker not installed"), executable);
    }
    auto absolute = make_directory(directory);
    if (!absolute) return std::move(absolute).error();
    auto held = lock(*absolute);
    if (!held) return std::move(held).error();
    auto wake = make_pipe();
    if (!wake) return std::move(wake).error();
    auto layout = lay_out(*absolute);
    if (!layout) return std::move(layout).error();
    if (auto written = write_config(*layout); !written) {
        std::error_code ignored;
        if (!layout->private_folder.empty())
            std::filesystem::remove(layout->private_folder, ignored);
        return std::move(written).error();
    }
    auto broker = std::make_unique<Mosquitto>(std::filesystem::absolute(executable),
                                              std::move(*layout),
                                              std::move(*held),
                                              std::move(*wake));
    if (auto ready = broker->wait_until_ready(); !ready) return std::move(ready).error();
    return std::unique_ptr<Broker>(std::move(broker));
}

}  // namespace hatchery::gateway
