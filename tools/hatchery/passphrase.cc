#include "tools/hatchery/passphrase.h"

#include "ca/digest.h"
#include "tools/hatchery/files.h"

#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace hatchery::command {

namespace {

constexpr const char* kVariable = "HATCHERY_PASSPHRASE";
constexpr std::size_t kMaxPassphraseBytes = 4096;
constexpr char kInterrupt = 3;  // Ctrl-C, read as a character while signals are off

/// The terminal without echo, put back as it was on destruction. Signals from the keyboard are off
/// meanwhile: a Ctrl-C must not leave a shell that echoes nothing.
class SilentTerminal {
  public:
    explicit SilentTerminal(int fd) : fd_(fd) {
        if (::tcgetattr(fd_, &before_) != 0) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
        silent.c_cc[VMIN] = 1;
        silent.c_cc[VTIME] = 0;
        is_silent_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
    }
    ~SilentTerminal() {
        if (is_silent_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;
    bool is_silent() const { return is_silent_; }

  private:
    int fd_;
    termios before_{};
    bool is_silent_ = false;
};

void say(int fd, std::string_view text) {
    // A prompt that cannot be shown changes nothing: the answer is still read.
    [[maybe_unused]] const ssize_t shown = ::write(fd, text.data(), text.size());
}

Result<Secret> ask(int fd, std::string_view prompt) {
    const SilentTerminal silent(fd);
    if (!silent.is_silent())
        return fail(Code::Unavailable, "cannot switch off the terminal's echo");
    say(fd, prompt);
    std::string line;
    line.reserve(kMaxPassphraseBytes);  // no copies of a secret left behind by growing
    for (;;) {
        char c = 0;
        const ssize_t got = ::read(fd, &c, 1);
        if (got != 1 || c == kInterrupt) {
            ::explicit_bzero(line.data(), line.size());
            say(fd, "\n");
            return fail(Code::Unavailable, "no passphrase was given");
        }
        if (c == '\n' || c == '\r') break;
        if ((c == 0x7f || c == '\b') && !line.empty()) {
            line.pop_back();
        } else if (c != 0x7f && c != '\b' && line.size() < kMaxPassphraseBytes) {
            line += c;
        }
    }
    say(fd, "\n");
    if (line.empty()) return fail(Code::Unavailable, "an empty passphrase was given");
    return Secret::take(line);
}

Result<Secret> from_file(const std::filesystem::path& file) {
    auto content = read_file(file, kMaxPassphraseBytes);
    if (!content) return std::move(content).error();
    const std::size_t end = content->find_first_of("\r\n");
    Secret secret = Secret::copy_of(bytes_of(std::string_view(*content).substr(0, end)));
    ::explicit_bzero(content->data(), content->size());
    if (secret.empty()) {
        return fail(Code::Unavailable, file.string() + ": expected a passphrase on the first line");
    }
    return secret;
}

Result<Secret> from_terminal(PassphraseUse use) {
    const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!terminal.is_open()) {
        return fail(Code::Unavailable,
                    "no passphrase: expected --passphrase-file, HATCHERY_PASSPHRASE, or a terminal "
                    "to ask on");
    }
    if (use == PassphraseUse::Open) return ask(terminal.get(), "Passphrase: ");
    auto chosen = ask(terminal.get(), "New passphrase: ");
    if (!chosen) return chosen;
    auto repeated = ask(terminal.get(), "The same again: ");
    if (!repeated) return repeated;
    if (!ca::equal_constant_time(chosen->view(), repeated->view())) {
        return fail(Code::Unavailable, "the two passphrases differ");
    }
    return chosen;
}

}  // namespace

Result<Secret> read_passphrase(const std::filesystem::path& file, PassphraseUse use) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): called before there are threads, see the header
    char* const variable = ::getenv(kVariable);
    Secret from_environment;
    if (variable != nullptr) {
        const std::size_t length = ::strlen(variable);
        from_environment = Secret::copy_of(bytes_of(std::string_view(variable, length)));
        ::explicit_bzero(variable, length);  // gone from /proc/PID/environ too
        ::unsetenv(kVariable);               // NOLINT(concurrency-mt-unsafe): as above
    }
    if (!file.empty()) return from_file(file);
    if (!from_environment.empty()) return from_environment;
    return from_terminal(use);
}

}  // namespace hatchery::command
