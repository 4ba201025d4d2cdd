// Expressions and mappings as bytes, the form in which a compiled template keeps them: no more of
// them than about two for each byte of the template's text, whatever that text is.
#pragma once

#include "templates/expression.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::templates {

/// An expression without its arguments, which are the next `count` ones in the code.
struct Instruction {
    Op op = Op::Text;
    json::NodeId node = 0;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
    std::string_view text;

    bool is_list() const { return op == Op::List || op == Op::Split; }
};

/// Reads code from its beginning. What it gives points into the code.
class CodeReader {
  public:
    /// @pre  `code` was written by append_code, append_text or table_of
    explicit CodeReader(std::string_view code) : rest_(code) {}

    bool is_at_end() const { return rest_.empty(); }
    Instruction next();
    /// Passes over one expression and its arguments.
    void skip();
    std::string_view text();

  private:
    std::uint32_t number();

    std::string_view rest_;
};

void append_code(std::string& code, const Expression& expression);
void append_text(std::string& code, std::string_view text);

/// A table is a run of names and values; a value may be a table.
std::string table_of(const Mappings& mappings);
std::optional<std::string_view> find_in_table(std::string_view table, std::string_view name);

}  // namespace hatchery::templates
