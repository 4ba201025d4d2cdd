// What compile() makes and evaluate() reads.
#pragma once

#include "provisioning/policy/condition.h"

namespace hatchery::policy {

struct Statement {
    bool is_deny = false;
    std::string sid;
    std::uint8_t actions = 0;  ///< bit i is Action i; NotAction is already turned round
    bool is_not_resource = false;
    std::vector<ArnPattern> resources;
    std::vector<Condition> conditions;  ///< all of them
    Variables variables;
};

class Document::Impl {
  public:
    std::vector<Statement> statements;
};

inline constexpr std::size_t kActionCount = 5;
constexpr std::uint8_t action_bit(Action action) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(action));
}

}  // namespace hatchery::policy
