// What compile() makes and evaluate() reads.
#pragma once

#include "provisioning/policy/condition.h"

namespace hatchery::policy {

struct Statement {
    bool is_deny = false;
    std::string sid;
    std::uint16_t actions = 0;  ///< bit i is Action i; NotAction is already turned round
    bool is_not_resource = false;
    std::vector<ArnPattern> resources;
    std::vector<Condition> conditions;  ///< all of them
    Variables variables;
    bool is_not_action = false;
    std::vector<std::string> resource_texts;  ///< as written; for lint
};

class Document::Impl {
  public:
    std::vector<Statement> statements;
    bool has_variables = true;  ///< Version 2012-10-17
};

/// Whether one statement applies to a request, and if not, why.
enum class Outcome : std::uint8_t;
Outcome judge(const Statement& statement,
              Action action,
              const ArnParts& resource,
              const Context& context);

inline constexpr std::size_t kActionCount = 9;
constexpr std::uint16_t action_bit(Action action) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(action));
}

}  // namespace hatchery::policy
