#include "tools/hatchery/exit_code.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace hatchery::command {

int exit_code(Code code) {
    switch (code) {
        case Code::InvalidRequest:
        case Code::Forbidden:
        case Code::NotFound:
        case Code::AlreadyExists:
        case Code::Conflict:
        case Code::DeleteConflict:
        case Code::LimitExceeded:
        case Code::VersionsLimitExceeded:
        case Code::VersionConflict:
        case Code::CertificateInvalid:
        case Code::CertificateState:
        case Code::CertificateConflict:
        case Code::RegistrationCodeInvalid:
        case Code::MalformedPolicy:
        case Code::Throttled:
            return kRefused;
        case Code::Unauthenticated:  // the passphrase: nothing was decided yet
        case Code::NotImplemented:
        case Code::Unavailable:
        case Code::Internal:
            return kCouldNotRun;
    }
    return kCouldNotRun;
}

std::string one_line(std::string_view text) {
    std::string line;
    line.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            line += "\\n";
        } else if (c == '\t') {
            line += "\\t";
        } else if (byte < 0x20 || byte == 0x7f) {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(byte));
            line += escaped.data();
        } else {
            line += c;
        }
    }
    return line;
}

int report(const Error& error) {
    const std::string line = "hatchery: " + one_line(to_string(error)) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    return exit_code(error.code);
}

int finish(const Result<>& outcome) {
    return outcome ? kDone : report(outcome.error());
}

Error could_not_run(Error error) {
    if (exit_code(error.code) != kCouldNotRun) error.code = Code::Unavailable;
    return error;
}

Result<> print(std::string_view text) {
    const bool written =
        std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (!written) {
        return fail(Code::Unavailable,
                    "cannot write to standard output: " + std::generic_category().message(errno));
    }
    return {};
}

}  // namespace hatchery::command
