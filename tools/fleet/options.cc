#include "tools/fleet/options.h"

namespace hatchery::fleet {

std::string fill(std::string text, const std::string& name, const std::string& value) {
    const std::string mark = "{" + name + "}";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
        text.replace(at, mark.size(), value);
        at += value.size();
    }
    return text;
}

std::vector<std::string> serial_numbers(const Options& options) {
    std::vector<std::string> serials;
    serials.reserve(static_cast<std::size_t>(options.devices) + options.serials.size());
    const auto digits = static_cast<std::size_t>(options.serial_digits);
    for (int i = 0; i < options.devices; ++i) {
        std::string number = std::to_string(options.serial_start + i);
        if (number.size() < digits) number.insert(0, digits - number.size(), '0');
        serials.push_back(options.serial_prefix + number);
    }
    serials.insert(serials.end(), options.serials.begin(), options.serials.end());
    return serials;
}

}  // namespace hatchery::fleet
