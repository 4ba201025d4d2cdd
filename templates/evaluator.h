// Runs code for one set of parameters: purely, within a budget.
#pragma once

#include "templates/code.h"
#include "templates/template.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// A parameter of a compiled template.
struct ParameterSlot {
    std::string_view name;
    std::optional<std::string_view> default_value;
};

/// Bytes that one evaluation may produce, intermediate texts included: a template of 10,240
/// characters can otherwise repeat a parameter into gigabytes. Room for two PEM texts of 65,536.
inline constexpr std::size_t kMaxProduced = 262'144;

/// Evaluates code of one template for one set of parameters. What it refers to must outlive it.
class Evaluator {
  public:
    /// `mappings` is a table.
    explicit Evaluator(std::string_view mappings) : mappings_(mappings) {}

    /// Gives the next slot its value: that of `parameters`, or the Default where that one is empty
    /// or not there. Both must outlive this.
    void bind(const ParameterSlot& slot, const Parameters& parameters);
    bool has_value(std::size_t slot) const { return slots_[slot].value.has_value(); }

    /// @errors InvalidRequest  an unresolved reference, an index or key that does not exist, too
    /// much text; failed_node() tells where
    Result<std::string> text(CodeReader code);
    Result<std::vector<std::string>> list(CodeReader code);
    /// Where the last error stands.
    json::NodeId failed_node() const { return failed_node_; }

  private:
    struct Slot {
        std::string_view name;
        std::optional<std::string_view> value;
    };
    using Texts = std::vector<std::string>;

    Result<std::string> next_text(CodeReader& in);
    Result<Texts> next_list(CodeReader& in);
    Result<std::string> join(CodeReader& in, const Instruction& join);
    Result<std::string> select(CodeReader& in, const Instruction& select);
    Result<std::string> find_in_map(CodeReader& in, const Instruction& find);
    Result<std::string> concat(CodeReader& in, const Instruction& concat);
    Result<std::string> quote(CodeReader& in, const Instruction& quote);
    Result<Texts> split(CodeReader& in, const Instruction& split);
    Result<std::string> parameter(const Instruction& parameter);
    Error at(const Instruction& instruction, std::string message);
    Result<std::string> charge(const Instruction& instruction, std::string produced);

    std::string_view mappings_;
    std::vector<Slot> slots_;
    std::size_t produced_ = 0;
    json::NodeId failed_node_ = 0;
};

/// A list index as Fn::Select takes it: decimal digits.
std::optional<std::size_t> parse_index(std::string_view text);

}  // namespace hatchery::templates
