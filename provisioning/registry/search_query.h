// A search query taken apart. This box's own.
#pragma once

#include "provisioning/registry/search.h"

namespace hatchery::registry {

/// Wildcards in SearchTerm::text. A query with control characters is refused, so these stand for
/// nothing else.
inline constexpr char kAnyRun = '\x01';
inline constexpr char kAnyOne = '\x02';

struct SearchTerm {
    enum class Field : std::uint8_t {
        Any,
        ThingName,
        ThingId,
        ThingTypeName,
        GroupNames,
        Attribute
    };
    Field field = Field::Any;
    std::string attribute;  ///< of Field::Attribute
    std::string text;       ///< in lower case; of terms that are no range
    struct Bound {
        std::string value;  ///< in lower case
        bool is_inclusive = true;
    };
    bool is_range = false;
    std::optional<Bound> lowest, highest;  ///< of ranges; unset = open
};

struct SearchQuery::Node {
    enum class Kind : std::uint8_t { Term, And, Or, Not };
    Kind kind = Kind::Term;
    SearchTerm term;
    std::vector<Node> children;
};

}  // namespace hatchery::registry
