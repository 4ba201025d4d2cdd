#include "tools/hatchery/stop_signal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace hatchery::command {

namespace {

constexpr std::array kStops = {SIGTERM, SIGINT, SIGHUP};

sigset_t stop_set() {
    sigset_t set{};
    ::sigemptyset(&set);
    for (const int signal : kStops)
        ::sigaddset(&set, signal);
    return set;
}

/// @param handler  SIG_IGN or SIG_DFL
void set_disposition(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
}

}  // namespace

Result<StopSignal> StopSignal::install() {
    const sigset_t set = stop_set();
    if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
        return fail(Code::Unavailable,
                    "cannot block signals: " + std::generic_category().message(error));
    }
    // A shell without job control starts a server in the background with SIGINT ignored.
    for (const int signal : kStops)
        set_disposition(signal, SIG_DFL);
    set_disposition(SIGPIPE, SIG_IGN);  // a peer that went away is an error of that write only
    return StopSignal();
}

std::string_view StopSignal::wait() const {
    const sigset_t set = stop_set();
    int signal = SIGTERM;
    ::sigwait(&set, &signal);  // has no errors to report for a set of real signals
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    if (signal == SIGINT) return "SIGINT";
    return signal == SIGHUP ? "SIGHUP" : "SIGTERM";
}

}  // namespace hatchery::command
