// What a property's value compiles to, and how it is evaluated: purely, within a budget.
#pragma once

#include "templates/json_document.h"
#include "templates/template.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// What an expression does. List and Split give a list, the others a text.
enum class Op : std::uint8_t {
    Text,       ///< `text`
    Parameter,  ///< the parameter in slot `index`
    Join,       ///< arguments[0], a list, with `text` between the entries
    Select,     ///< entry arguments[0] of the list arguments[1]
    FindInMap,  ///< arguments: map, key, key
    Split,      ///< arguments[0] cut at each `text`
    Concat,     ///< arguments[0], a list of bindings; then the pieces one after another
    Bound,      ///< binding `index` of the Concat around it
    List,       ///< the entries
    Quote,      ///< arguments[0] as JSON: a quoted text, or a list of quoted texts
};

struct Expression {
    Op op = Op::Text;
    json::NodeId node = 0;  ///< where it stands in the template
    std::uint32_t index = 0;
    std::string text;
    std::vector<Expression> arguments;

    bool is_list() const { return op == Op::List || op == Op::Split; }
};

/// Does its value depend on no parameter?
bool is_constant(const Expression& expression);

struct Parameter {
    std::string name;
    std::optional<std::string> default_value;
    json::NodeId node = 0;
    bool is_declared = true;  ///< false: defined by the service
    bool is_used = false;
};

using Mappings =
    std::map<std::string,
             std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>,
             std::less<>>;

/// Bytes that one evaluation may produce, intermediate texts included: a template of 10,240
/// characters can otherwise repeat a parameter into gigabytes. Room for two PEM texts of 65,536.
inline constexpr std::size_t kMaxProduced = 262'144;

/// Evaluates expressions of one template for one set of parameters. What it refers to must outlive
/// it.
class Evaluator {
  public:
    Evaluator(const std::vector<Parameter>& parameters, const Mappings& mappings)
        : declared_(parameters), mappings_(mappings) {}

    /// Looks every parameter up; an empty value counts as absent, then the Default.
    void bind(const Parameters& parameters);
    /// The value of a slot, or null.
    const std::string* value(std::size_t slot) const {
        return slot < values_.size() ? values_[slot] : nullptr;
    }

    /// @errors InvalidRequest  an unresolved reference, an index or key that does not exist, too
    /// much text; failed_node() tells where
    Result<std::string> text(const Expression& expression);
    Result<std::vector<std::string>> list(const Expression& expression);
    /// Where the last error stands.
    json::NodeId failed_node() const { return failed_node_; }

  private:
    Result<std::string> join(const Expression& expression);
    Result<std::string> select(const Expression& expression);
    Result<std::string> find_in_map(const Expression& expression);
    Result<std::string> concat(const Expression& expression);
    Result<std::string> quote(const Expression& expression);
    Result<std::vector<std::string>> split(const Expression& expression);
    Error unresolved(const Expression& expression);
    Error at(const Expression& expression, std::string message);
    Result<std::string> charge(const Expression& expression, std::string produced);

    const std::vector<Parameter>& declared_;
    const Mappings& mappings_;
    std::vector<const std::string*> values_;
    std::size_t produced_ = 0;
    json::NodeId failed_node_ = 0;
};

/// A list index as Fn::Select takes it: decimal digits.
std::optional<std::size_t> parse_index(std::string_view text);

}  // namespace hatchery::templates
