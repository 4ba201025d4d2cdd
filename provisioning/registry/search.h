// SearchIndex: AWS's fleet indexing query language over the registry's things, always up to date.
// Facts: AWS IoT Developer Guide, "Query syntax".
#pragma once

#include "provisioning/registry/things.h"

#include <memory>

namespace hatchery::registry {

/// A parsed query; immutable, cheap to copy.
///   thingName:tv*  attributes.color:blue  attributes.size:[10 TO 20]  attributes.size>10
///   thingGroupNames:(a OR b) AND NOT thingTypeName:old  -plasma  "two words"  *
/// Terms without an operator between them are joined by AND; letters' case does not matter in
/// values; `*` and `?` are wildcards, not at a term's start; a term without a field is looked for
/// in all of them. Fields: thingName, thingId, thingTypeName, thingGroupNames, attributes.NAME.
class SearchQuery {
  public:
    /// @errors InvalidRequest  `where` = "queryString": over 1,000 bytes, over 12 terms,
    /// unbalanced, an unknown field
    static Result<SearchQuery> parse(std::string_view text);

    struct Node;
    const Node& root() const { return *root_; }

  private:
    explicit SearchQuery(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
    std::shared_ptr<const Node> root_;
};

/// A thing as searches see and answer it.
struct FoundThing {
    Thing thing;
    std::vector<std::string> groups;  ///< the groups that it is a member of, not their parents
};
bool matches(const SearchQuery& query, const FoundThing& found);

/// A page of the things that match, in the order they were made (of an indexed attribute's
/// prefix: by value, then so). An equal or prefix term on an indexed attribute, or an equal one on
/// type or group, that every match needs, is looked up; all other queries walk over the things.
Result<Page<FoundThing>> search_things(store::Reader&, const SearchQuery&, const PageRequest&);

/// Attributes that are looked up instead of walked over: those that thing types call searchable,
/// and those added here. @errors InvalidRequest  no attribute name
Result<> add_indexed_attributes(store::Tx&, const std::vector<std::string>& names);
Result<std::vector<std::string>> indexed_attributes(store::Reader&);

}  // namespace hatchery::registry
