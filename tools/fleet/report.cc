#include "tools/fleet/report.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hatchery::fleet {

namespace {

using ReportJson = nlohmann::ordered_json;

std::string dump(const ReportJson& json) {
    return json.dump(-1, ' ', false, ReportJson::error_handler_t::replace);
}

double tenths(double value) {
    return std::round(value * 10) / 10;
}

}  // namespace

std::string to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::Provisioned:
            return "provisioned";
        case Outcome::Refused:
            return "refused";
        case Outcome::Failed:
            return "failed";
    }
    return "failed";
}

std::string to_json(const DeviceResult& result) {
    return dump({{"serial", result.serial},
                 {"thing", result.thing},
                 {"outcome", to_string(result.outcome)},
                 {"reason", result.reason},
                 {"message", result.message},
                 {"certificateId", result.certificate_id},
                 {"ms_first_connect", tenths(result.ms_first_connect)}});
}

double percentile(std::vector<double> values, double percent) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
    const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
    return values[std::min(index, values.size() - 1)];
}

std::string to_table(const Summary& summary) {
    std::string text;
    const auto row = [&](const std::string& name, const std::string& value) {
        std::string line = "  " + name;
        line.resize(std::max<std::size_t>(line.size() + 1, 24), ' ');
        text += line + value + "\n";
    };
    const auto number = [](double value) {
        char digits[64];
        std::snprintf(digits, sizeof digits, "%.1f", value);
        return std::string(digits);
    };
    text +=
        "devices " + std::to_string(summary.devices) + " in " + number(summary.seconds) + " s\n";
    row("provisioned", std::to_string(summary.provisioned));
    row("refused", std::to_string(summary.refused));
    row("failed", std::to_string(summary.failed));
    row("messages acknowledged", std::to_string(summary.messages));
    row("first connect p50", number(summary.p50_ms) + " ms");
    row("first connect p99", number(summary.p99_ms) + " ms");
    for (const auto& [reason, count] : summary.reasons)
        row("reason", std::to_string(count) + " x " + reason);
    constexpr std::size_t most_shown = 20;
    for (std::size_t i = 0; i < std::min(summary.unexpected.size(), most_shown); ++i)
        text += "  not as expected: " + summary.unexpected[i] + "\n";
    if (summary.unexpected.size() > most_shown) {
        text += "  not as expected: " + std::to_string(summary.unexpected.size() - most_shown) +
                " more\n";
    }
    return text;
}

std::string to_json(const Summary& summary) {
    const double rate =
        summary.seconds > 0 ? static_cast<double>(summary.provisioned) / summary.seconds : 0;
    return dump({{"devices", summary.devices},
                 {"provisioned", summary.provisioned},
                 {"refused", summary.refused},
                 {"failed", summary.failed},
                 {"messages", summary.messages},
                 {"seconds", summary.seconds},
                 {"per_second", tenths(rate)},
                 {"p50_ms", tenths(summary.p50_ms)},
                 {"p99_ms", tenths(summary.p99_ms)},
                 {"max_ms", tenths(summary.max_ms)},
                 {"reasons", summary.reasons},
                 {"unexpected", summary.unexpected}});
}

Report::Report(std::size_t devices, std::set<std::string> expected_refused)
    : devices_(devices), expected_refused_(std::move(expected_refused)) {}

Result<> Report::open(const std::string& path) {
    out_.open(path, std::ios::binary | std::ios::trunc);
    if (!out_) return fail(Code::InvalidRequest, "can't write " + path);
    return {};
}

void Report::add(const DeviceResult& result) {
    const std::lock_guard lock(mutex_);
    if (out_.is_open()) out_ << to_json(result) << '\n' << std::flush;
    const bool should_be_refused = expected_refused_.contains(result.serial);
    switch (result.outcome) {
        case Outcome::Provisioned:
            ++summary_.provisioned;
            milliseconds_.push_back(result.ms_first_connect);
            break;
        case Outcome::Refused:
            ++summary_.refused;
            break;
        case Outcome::Failed:
            ++summary_.failed;
            break;
    }
    if (result.outcome != Outcome::Provisioned) ++summary_.reasons[result.reason];
    const auto expected = should_be_refused ? Outcome::Refused : Outcome::Provisioned;
    if (result.outcome != expected) {
        std::string line = result.serial + ": expected " + to_string(expected) + ", found " +
                           to_string(result.outcome);
        if (!result.reason.empty()) line += ": " + result.reason;
        if (!result.message.empty()) line += ": " + result.message;
        summary_.unexpected.push_back(std::move(line));
    }
    ++finished_;
}

void Report::message_acknowledged() {
    const std::lock_guard lock(mutex_);
    ++summary_.messages;
}

void Report::unfinished(const std::string& serial, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    summary_.unexpected.push_back(serial + ": provisioned, then " + reason);
}

Summary Report::summary(std::chrono::duration<double> took) const {
    const std::lock_guard lock(mutex_);
    Summary summary = summary_;
    summary.devices = devices_;
    summary.p50_ms = percentile(milliseconds_, 50);
    summary.p99_ms = percentile(milliseconds_, 99);
    summary.max_ms = percentile(milliseconds_, 100);
    summary.seconds = took.count();
    return summary;
}

std::string progress_bar(std::uint64_t finished, std::uint64_t devices) {
    constexpr std::uint64_t width = 20;
    const auto filled = static_cast<std::size_t>(devices == 0 ? width : finished * width / devices);
    std::string bar = "[" + std::string(filled, '=');
    if (filled < width) bar += '>' + std::string(width - filled - 1, ' ');
    return bar + "] " + std::to_string(finished) + "/" + std::to_string(devices) + " devices";
}

Progress::Progress(const Report& report, std::uint64_t devices)
    : report_(report),
      devices_(devices),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      thread_([this] { run(); }) {}

Progress::~Progress() {
    {
        const std::lock_guard lock(mutex_);
        is_done_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Progress::run() {
    const std::chrono::milliseconds interval(is_terminal_ ? 200 : 5000);
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, interval, [&] { return is_done_; })) {
        const auto bar = progress_bar(report_.finished(), devices_);
        std::fprintf(stderr, is_terminal_ ? "\r%s" : "%s\n", bar.c_str());
    }
    if (is_terminal_) {
        std::fprintf(stderr, "\r%s\n", progress_bar(report_.finished(), devices_).c_str());
    }
}

}  // namespace hatchery::fleet
