#include "tools/hatchery/stop_signal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace hatchery::command {

namespace {

constexpr std::array kStops = {SIGTERM, SIGINT, SIGHUP};

volatile std::sig_atomic_t g_write_end = -1;

extern "C" void on_stop(int signal) {
    const int before = errno;
    const auto byte = static_cast<unsigned char>(signal);
    // A full pipe means that a stop waits to be read already.
    [[maybe_unused]] const ssize_t put = ::write(g_write_end, &byte, 1);
    errno = before;
}

void set_handlers(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    for (const int signal : kStops)
        ::sigaction(signal, &action, nullptr);
}

}  // namespace

Result<StopSignal> StopSignal::install() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(Code::Unavailable,
                    "cannot make a pipe: " + std::generic_category().message(errno));
    }
    g_write_end = ends[1];
    set_handlers(on_stop);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;  // NOLINT: the system's macro casts an integer
    ::sigemptyset(&ignore.sa_mask);
    ::sigaction(SIGPIPE, &ignore, nullptr);  // a peer that went away is an error of that write only
    return StopSignal(ends[0]);
}

std::string_view StopSignal::wait() const {
    unsigned char signal = 0;
    while (::read(fd_, &signal, 1) < 0 && errno == EINTR) {
    }
    set_handlers(SIG_DFL);
    if (signal == SIGINT) return "SIGINT";
    return signal == SIGHUP ? "SIGHUP" : "SIGTERM";
}

}  // namespace hatchery::command
