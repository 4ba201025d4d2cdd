// A directory of the benchmark's own, in HATCHERY_BENCH_DIR or else the system's temporary one: the
// disk decides what an fsync costs. Removed at its end.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace hatchery::bench {

class Directory {
  public:
    Directory() {
        const char* base = std::getenv("HATCHERY_BENCH_DIR");  // NOLINT(concurrency-mt-unsafe)
        const auto root =
            base != nullptr ? std::filesystem::path(base) : std::filesystem::temp_directory_path();
        std::string pattern = (root / "hatchery-bench-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) std::abort();
        path_ = pattern;
    }
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    std::filesystem::path file(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

/// How many of something the environment asks for.
inline std::int64_t count_from(const char* variable, std::int64_t otherwise) {
    const char* wanted = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
    return wanted == nullptr ? otherwise : std::strtoll(wanted, nullptr, 10);
}

}  // namespace hatchery::bench
