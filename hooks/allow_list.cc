#include "hooks/allow_list.h"

#include <algorithm>
#include <fstream>
#include <unordered_set>

namespace hatchery::hooks {

namespace {

constexpr std::string_view kSpace = " \t\r";

class AllowList : public Hook {
  public:
    AllowList(std::string parameter,
              std::unordered_set<std::string> serial_numbers,
              std::vector<std::string> prefixes)
        : parameter_(std::move(parameter)),
          serial_numbers_(std::move(serial_numbers)),
          prefixes_(std::move(prefixes)) {}

    Result<HookDecision> decide(const HookEvent& event, std::chrono::milliseconds) override {
        const auto found = event.parameters.find(parameter_);
        if (found == event.parameters.end()) {
            return HookDecision{false, {}, "the parameter " + parameter_ + " is missing"};
        }
        const std::string& value = found->second;
        const bool is_listed =
            serial_numbers_.contains(value) ||
            std::any_of(prefixes_.begin(), prefixes_.end(), [&](const std::string& prefix) {
                return value.starts_with(prefix);
            });
        if (is_listed) return HookDecision{true, {}, ""};
        return HookDecision{false, {}, parameter_ + " " + value + " is not on the list"};
    }

  private:
    std::string parameter_;
    std::unordered_set<std::string> serial_numbers_;
    std::vector<std::string> prefixes_;
};

Result<> read_file(const std::string& path, std::unordered_set<std::string>& serial_numbers) {
    std::ifstream file(path);
    if (!file) return fail(Code::InvalidRequest, "can't read " + path, "file");
    std::string line;
    while (std::getline(file, line)) {
        line.resize(std::min(line.find('#'), line.size()));
        const auto first = line.find_first_not_of(kSpace);
        if (first == std::string::npos) continue;
        const auto last = line.find_last_not_of(kSpace);
        serial_numbers.insert(line.substr(first, last - first + 1));
    }
    // A folder opens and then fails to read: half a list must not pass for the whole one.
    if (file.bad()) return fail(Code::InvalidRequest, "can't read " + path, "file");
    return {};
}

}  // namespace

Result<std::unique_ptr<Hook>> make_allow_list(const HookConfig& config) {
    if (config.parameter.empty()) {
        return fail(Code::InvalidRequest, "expected the name of a parameter", "parameter");
    }
    if (config.serial_numbers.empty() && config.prefixes.empty() && config.file.empty()) {
        return fail(Code::InvalidRequest,
                    "an allow-list needs serial_numbers, prefixes or file",
                    "serial_numbers");
    }
    if (std::count(config.prefixes.begin(), config.prefixes.end(), "") > 0) {
        return fail(Code::InvalidRequest, "an empty prefix would allow everything", "prefixes");
    }
    std::unordered_set<std::string> serial_numbers(config.serial_numbers.begin(),
                                                   config.serial_numbers.end());
    if (!config.file.empty()) {
        if (auto read = read_file(config.file, serial_numbers); !read) {
            return std::move(read).error();
        }
    }
    return std::unique_ptr<Hook>(
        std::make_unique<AllowList>(config.parameter, std::move(serial_numbers), config.prefixes));
}

}  // namespace hatchery::hooks
