#include "hooks/allow_list.h"

#include <algorithm>
#include <fstream>
#include <unordered_set>

namespace hatchery::hooks {

namespace {

constexpr std::string_view kSpace = " \t\r";

Result<std::string> parameter_of(const HookEvent& event, const std::string& parameter) {
    const auto found = event.parameters.find(parameter);
    if (found != event.parameters.end()) return found->second;
    return fail(Code::NotFound, "the parameter " + parameter + " is missing");
}

/// A list that is kept in the database.
class StoredList : public Hook {
  public:
    StoredList(const HookConfig& config, SerialLists& lists)
        : parameter_(config.parameter),
          list_(config.list),
          single_use_(config.single_use),
          lists_(lists) {}

    Result<HookDecision> decide(const HookEvent& event, std::chrono::milliseconds) override {
        auto value = parameter_of(event, parameter_);
        if (!value) return HookDecision{false, {}, value.error().message};
        auto decision = lists_.look_up(list_, *value, single_use_, event);
        if (decision && !decision->allow) {
            decision->reason = parameter_ + " " + *value + " " + decision->reason;
        }
        return decision;
    }

  private:
    std::string parameter_;
    std::string list_;
    bool single_use_;
    SerialLists& lists_;
};

class AllowList : public Hook {
  public:
    AllowList(std::string parameter,
              std::unordered_set<std::string> serial_numbers,
              std::vector<std::string> prefixes)
        : parameter_(std::move(parameter)),
          serial_numbers_(std::move(serial_numbers)),
          prefixes_(std::move(prefixes)) {}

    Result<HookDecision> decide(const HookEvent& event, std::chrono::milliseconds) override {
        const auto found = parameter_of(event, parameter_);
        if (!found) return HookDecision{false, {}, found.error().message};
        const std::string& value = *found;
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

Result<std::unique_ptr<Hook>> make_stored(const HookConfig& config, SerialLists* lists) {
    if (!config.serial_numbers.empty() || !config.prefixes.empty() || !config.file.empty()) {
        return fail(Code::InvalidRequest,
                    "expected either a list of the database or serial_numbers, prefixes and file",
                    "list");
    }
    if (lists == nullptr) {
        return fail(Code::InvalidRequest, "there is no database to keep this list", "list");
    }
    return std::unique_ptr<Hook>(std::make_unique<StoredList>(config, *lists));
}

}  // namespace

Result<std::unique_ptr<Hook>> make_allow_list(const HookConfig& config, SerialLists* lists) {
    if (config.parameter.empty()) {
        return fail(Code::InvalidRequest, "expected the name of a parameter", "parameter");
    }
    if (!config.list.empty()) return make_stored(config, lists);
    if (config.serial_numbers.empty() && config.prefixes.empty() && config.file.empty()) {
        return fail(Code::InvalidRequest,
                    "an allow-list needs list, serial_numbers, prefixes or file",
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
