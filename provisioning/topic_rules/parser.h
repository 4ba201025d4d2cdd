// SQL text to expressions. Private to this box.
#pragma once

#include "provisioning/topic_rules/expression.h"

namespace hatchery::topic_rules {

/// One item of SELECT.
struct Column {
    bool is_star = false;
    std::string name{};
    Expression expression{};
};

struct Parsed {
    std::vector<Column> columns;
    std::string filter;
    std::optional<Expression> where;
};

/// @errors InvalidRequest  `where` = "line:column"
Result<Parsed> parse_statement(std::string_view sql);
/// The expression that begins at `begin` of `text` and ends before a `}`, whose place is put into
/// `end`. @errors InvalidRequest  `where` = "line:column"
Result<Expression> parse_substituted(std::string_view text, std::size_t begin, std::size_t& end);
/// "line:column" of a place in a text, both from 1.
std::string place_in(std::string_view text, std::size_t at);

}  // namespace hatchery::topic_rules
