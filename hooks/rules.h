// The kind "rules": conditions in a TOML file, decided in this process.
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

/// What is wrong in a rules file, and where; line and column count from 1.
struct RuleFinding {
    std::size_t line = 1;
    std::size_t column = 1;
    std::string message;
};

/// A rules file, read. The first rule whose `when` holds decides; without one the device is
/// refused. Thread-safe.
class Rules {
  public:
    /// Every mistake of `text`, in order; none: `rules` holds what it says.
    static std::vector<RuleFinding> parse(std::string_view text, Rules& rules);
    Rules();
    ~Rules();
    Rules(Rules&&) noexcept;
    Rules& operator=(Rules&&) noexcept;
    /// @errors InvalidRequest  a condition needs the certificate, and it cannot be read
    Result<HookDecision> decide(const HookEvent& event) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// @errors InvalidRequest  an unreadable file, or a mistake in it; `where` = "rules", the message
/// begins with FILE:LINE:COLUMN
Result<std::unique_ptr<Hook>> make_rules(const HookConfig& config);

}  // namespace hatchery::hooks
