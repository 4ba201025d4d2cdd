#include "provisioning/policy/needed.h"

#include "provisioning/policy/document.h"

namespace hatchery::policy {

namespace {

/// Copies the entry of `context` that `key` stands for, if there is one.
void keep_named(const KeyName& key, const Context& context, Context& kept) {
    const auto named = key.values(context);
    if (named.empty()) return;
    for (const auto& [name, values] : context.values) {
        const std::less<const std::string*> before;
        const auto* const first = values.data();
        if (before(named.data(), first) || !before(named.data(), first + values.size())) continue;
        kept.values.emplace(name, values);
        return;
    }
}

}  // namespace

Context needed_of(std::span<const Document> documents, const Context& context) {
    Context kept;
    for (const auto& document : documents) {
        for (const auto& statement : document.impl().statements) {
            for (const auto& variable : statement.variables)
                keep_named(variable, context, kept);
            for (const auto& condition : statement.conditions)
                keep_named(condition.key, context, kept);
        }
    }
    return kept;
}

}  // namespace hatchery::policy
