#include "hooks/chain.h"

#include <algorithm>

namespace hatchery::hooks {

namespace {

class Chain : public Hook {
  public:
    explicit Chain(std::vector<ChainMember> members) : members_(std::move(members)) {}

    Result<HookDecision> decide(const HookEvent& event,
                                std::chrono::milliseconds timeout) override {
        const auto deadline = std::chrono::steady_clock::now() + timeout;
        HookEvent seen = event;
        HookDecision all;
        all.allow = true;
        for (const auto& member : members_) {
            const auto left = std::chrono::floor<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                return fail(Code::Unavailable, "no time was left for " + member.name);
            }
            auto decision = member.hook->decide(seen, std::min(left, member.timeout));
            if (!decision) {
                Error error = std::move(decision).error();
                error.message = member.name + ": " + to_string(error);
                error.where.clear();
                return error;
            }
            if (!decision->allow) {
                return HookDecision{false, {}, member.name + ": " + decision->reason};
            }
            for (auto& [parameter, value] : decision->parameter_overrides) {
                seen.parameters.insert_or_assign(parameter, value);
                all.parameter_overrides.insert_or_assign(parameter, std::move(value));
            }
            std::move(decision->reservations.begin(),
                      decision->reservations.end(),
                      std::back_inserter(all.reservations));
        }
        return all;
    }

  private:
    std::vector<ChainMember> members_;
};

}  // namespace

std::unique_ptr<Hook> make_chain(std::vector<ChainMember> members) {
    return std::make_unique<Chain>(std::move(members));
}

}  // namespace hatchery::hooks
