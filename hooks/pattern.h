// Regular expressions that take linear time, so that no device's text can make one run away. The
// whole text has to match. Syntax: . [a-z] [^a-z] \d \w \s \ and * + ? {n} {n,m} {n,} | ( )
#pragma once

#include "ca/base/error.h"

#include <bitset>
#include <string_view>
#include <vector>

namespace hatchery::hooks {

class Pattern {
  public:
    /// @errors InvalidRequest  `where` = the offset of the byte that is wrong, in decimal
    static Result<Pattern> compile(std::string_view text);
    /// Does all of `text` match? Bytes, not characters.
    bool matches(std::string_view text) const;

    enum class Op { Bytes, Split, Jump, Match };
    struct Step {
        Op op = Op::Match;
        std::size_t next = 0;   ///< Split: one way; Jump: the way
        std::size_t other = 0;  ///< Split: the other way
        std::bitset<256> bytes{};
    };

  private:
    std::vector<Step> steps_;
};

}  // namespace hatchery::hooks
