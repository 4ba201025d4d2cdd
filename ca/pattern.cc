#include "ca/profile.h"

#include <regex>

namespace hatchery::ca {

struct Pattern::Compiled {
    std::string text;
    std::regex regex;
};

Result<Pattern> Pattern::compile(std::string_view text) {
    // libstdc++'s own flag: match by sets of states, in linear time, or refuse the expression. What
    // a device puts into its name must not decide how long that takes ("(a+)+b" and 60 times "a").
    static constexpr auto flags = std::regex_constants::ECMAScript |
                                  std::regex_constants::optimize |
                                  std::regex_constants::__polynomial;
    try {
        Pattern pattern;
        pattern.compiled_ = std::make_shared<const Compiled>(
            Compiled{std::string(text), std::regex(std::string(text), flags)});
        return pattern;
    } catch (const std::regex_error& error) {
        const bool is_complex = error.code() == std::regex_constants::error_complexity;
        return fail(Code::InvalidRequest,
                    is_complex ? "back-references are not supported" : std::string(error.what()));
    }
}

bool Pattern::matches(std::string_view value) const {
    try {
        return std::regex_match(value.begin(), value.end(), compiled_->regex);
    } catch (const std::regex_error&) {
        return false;  // out of its own limits: what does not match is refused
    }
}

const std::string& Pattern::text() const {
    return compiled_->text;
}

}  // namespace hatchery::ca
