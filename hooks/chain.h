// The kind "chain": several hooks in order.
#pragma once

#include "hooks/hook.h"

namespace hatchery::hooks {

struct ChainMember {
    std::string name;
    Hook* hook;  ///< outlives the chain
    std::chrono::milliseconds timeout;
};
/// The first refusal stops; each hook sees the parameters as those before it overrode them.
std::unique_ptr<Hook> make_chain(std::vector<ChainMember> members);

}  // namespace hatchery::hooks
