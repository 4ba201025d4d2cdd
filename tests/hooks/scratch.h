// What the hook tests share: a folder of their own, the log as text, events.
#pragma once

#include "hooks/hook.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hatchery::hooks {

/// A fresh folder that is removed with this object.
class Scratch {
  public:
    Scratch() {
        std::string pattern = (std::filesystem::temp_directory_path() / "hooks.XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Scratch() { std::filesystem::remove_all(path_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string path(const std::string& name) const { return (path_ / name).string(); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }
    std::string fifo(const std::string& name) const {
        EXPECT_EQ(mkfifo(path(name).c_str(), 0600), 0);
        return path(name);
    }

  private:
    std::filesystem::path path_;
};

/// Collects what the box logs while this object lives.
class CapturedLog {
  public:
    CapturedLog() {
        spdlog::drop("hooks");
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
        sink->set_pattern("%l %v");
        spdlog::register_logger(std::make_shared<spdlog::logger>("hooks", sink));
    }
    ~CapturedLog() { spdlog::drop("hooks"); }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;
    std::string text() const { return text_.str(); }

  private:
    std::ostringstream text_;
};

inline HookEvent event_of(const std::string& serial_number, const std::string& client_id = "d") {
    return {"claim",
            "certificate",
            "PEM",
            "arn:template",
            client_id,
            {{"SerialNumber", serial_number}}};
}

}  // namespace hatchery::hooks
