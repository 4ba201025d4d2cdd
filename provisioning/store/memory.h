// What the writer's connection remembers of rows that seldom change. This box's own.
#pragma once

#include <any>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hatchery::store {

/// Values by table and name. One thread.
class Memory {
  public:
    /// Null: nothing is remembered. The value lives until its table is forgotten.
    const std::any* find(std::string_view table, std::string_view name) const {
        for (const auto& [its_name, values] : tables_) {
            if (its_name != table) continue;
            const auto found = values.find(name);
            return found == values.end() ? nullptr : &found->second;
        }
        return nullptr;
    }

    const std::any& keep(std::string_view table, std::string_view name, std::any value) {
        Values& values = of(table);
        if (values.size() >= kMostOfTable) values.clear();
        return values.insert_or_assign(std::string(name), std::move(value)).first->second;
    }

    void forget(std::string_view table) {
        for (auto& [name, values] : tables_) {
            if (name == table) values.clear();
        }
    }
    void forget_all() {
        for (auto& [name, values] : tables_)
            values.clear();
    }

  private:
    static constexpr std::size_t kMostOfTable = 4'096;

    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    using Values = std::unordered_map<std::string, std::any, NameHash, std::equal_to<>>;

    Values& of(std::string_view table) {
        for (auto& [name, values] : tables_) {
            if (name == table) return values;
        }
        return tables_.emplace_back(std::string(table), Values{}).second;
    }

    std::vector<std::pair<std::string, Values>> tables_;  // a handful
};

}  // namespace hatchery::store
