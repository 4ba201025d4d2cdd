// JSON value -> Expression: the functions and where each may stand.
#pragma once

#include "templates/diagnostics.h"
#include "templates/evaluator.h"
#include "templates/expression.h"

#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace hatchery::templates {

inline constexpr std::size_t kMaxFunctionDepth = 16;

/// Compiles values of one template. Whatever is wrong goes to the report; then nothing is returned.
/// Constant functions are evaluated at once.
class FunctionCompiler {
  public:
    /// Implicit parameters are added to `parameters`; used ones are marked. `table` is that of
    /// `mappings`. All outlive this.
    FunctionCompiler(Kind kind,
                     const json::Document& document,
                     std::vector<Parameter>& parameters,
                     const Mappings& mappings,
                     const std::string& table,
                     Report& report)
        : kind_(kind),
          document_(document),
          parameters_(parameters),
          mappings_(mappings),
          table_(table),
          report_(report) {}

    /// Is `value` an object that is written as a function, known or not?
    static bool is_function(json::Value value);
    /// A string, or a function that gives one.
    std::optional<Expression> text(json::Value value);
    /// A list of such, or a function that gives a list.
    std::optional<Expression> list(json::Value value);
    /// Any JSON with functions inside; gives its compact text.
    std::optional<Expression> json_text(json::Value value);

  private:
    using Compile = std::optional<Expression> (FunctionCompiler::*)(json::Value);
    struct Function {
        std::string_view name;
        Compile compile;
    };
    static const std::array<Function, 6> kFunctions;

    std::optional<Expression> function(json::Value value);
    std::optional<Expression> ref(json::Value argument);
    std::optional<Expression> join(json::Value argument);
    std::optional<Expression> select(json::Value argument);
    std::optional<Expression> find_in_map(json::Value argument);
    std::optional<Expression> split(json::Value argument);
    std::optional<Expression> substitute(json::Value argument);

    bool is_list_of(json::Value argument, std::size_t size, std::string_view shape);
    std::optional<Expression> select_index(json::Value value);
    bool check_index(const Expression& index, const Expression& list, json::Value at);
    bool check_mapping(const Expression& find, json::Value argument);
    std::optional<Expression> pieces(json::Value pattern,
                                     const std::vector<std::string_view>& bound,
                                     Expression bindings);
    std::optional<Expression> substitution(json::Value pattern,
                                           std::string_view name,
                                           const std::vector<std::string_view>& bound);
    std::optional<std::uint32_t> slot(std::string_view name, json::Value at);
    void report_undeclared(std::string_view name, json::Value at);
    std::optional<Expression> fold(Expression expression, json::Value at);
    void warn_of_placeholder(json::Value value);
    bool append_json(Expression& out, json::Value value);

    Kind kind_;
    const json::Document& document_;
    std::vector<Parameter>& parameters_;
    const Mappings& mappings_;
    const std::string& table_;
    Report& report_;
    std::size_t depth_ = 0;
};

}  // namespace hatchery::templates
