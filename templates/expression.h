// What a property's value compiles to first: a tree. A compiled template keeps it as code.
#pragma once

#include "templates/json_document.h"
#include "templates/template.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
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

/// A parameter as long as the template is being compiled.
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

}  // namespace hatchery::templates
