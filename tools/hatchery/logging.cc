#include "tools/hatchery/logging.h"

#include "ca/base/clock.h"
#include "tools/hatchery/exit_code.h"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>
#include <memory>

namespace hatchery::command {

namespace {

/// The loggers of the boxes, made here so that they are set up before anybody asks for them.
constexpr std::array kLoggers = {
    "serve", "api", "audit", "gateway", "enroll", "flows", "hooks", "store"};

/// ISO 8601 with milliseconds.
std::string timestamp(std::chrono::system_clock::time_point time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time - seconds).count();
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(milliseconds));
    std::string text = to_iso8601(seconds);
    text.pop_back();
    return text + fraction.data();
}

class LineFormatter : public spdlog::formatter {
  public:
    explicit LineFormatter(LogFormat format) : format_(format) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        const auto level = spdlog::level::to_string_view(message.level);
        const std::string line = log_line({message.time,
                                           {level.data(), level.size()},
                                           {message.logger_name.data(), message.logger_name.size()},
                                           {message.payload.data(), message.payload.size()}},
                                          format_);
        out.append(line.data(), line.data() + line.size());
    }
    std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(format_);
    }

  private:
    LogFormat format_;
};

}  // namespace

std::string log_line(const LogEvent& event, LogFormat format) {
    if (format == LogFormat::Text) {
        return timestamp(event.time) + " " + std::string(event.level) + " " +
               std::string(event.logger) + ": " + one_line(event.message) + "\n";
    }
    nlohmann::ordered_json json;
    json["time"] = timestamp(event.time);
    json["level"] = event.level;
    json["logger"] = event.logger;
    json["message"] = event.message;
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void set_up_logging(const Config::Log& log) {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("hatchery", sink));
    for (const auto* name : kLoggers) {
        if (!spdlog::get(name)) {
            spdlog::register_logger(std::make_shared<spdlog::logger>(name, sink));
        }
    }
    spdlog::set_formatter(std::make_unique<LineFormatter>(log.format));
    spdlog::set_level(spdlog::level::from_str(log.level));
}

}  // namespace hatchery::command
