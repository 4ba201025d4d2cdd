#include "provisioning/registry/search.h"

#include "provisioning/registry/rows.h"
#include "provisioning/registry/search_index.h"
#include "provisioning/registry/search_query.h"
#include "provisioning/registry/thing_rows.h"

#include <algorithm>

namespace hatchery::registry {

namespace {

using SearchNode = SearchQuery::Node;
using SearchField = SearchTerm::Field;

/// A text without wildcards, or that text before a `*` at its end.
struct Lookup {
    std::string text;
    bool is_prefix = false;
};
std::optional<Lookup> lookup_of(const SearchTerm& term) {
    if (term.is_range) return std::nullopt;
    std::string_view text = term.text;
    const bool is_prefix = text.ends_with(kAnyRun);
    if (is_prefix) text.remove_suffix(1);
    const bool has_more =
        std::any_of(text.begin(), text.end(), [](char c) { return c == kAnyRun || c == kAnyOne; });
    if (has_more || text.empty()) return std::nullopt;
    return Lookup{std::string(text), is_prefix};
}

/// The terms that every match needs.
void collect_needed(const SearchNode& node, std::vector<const SearchTerm*>& terms) {
    if (node.kind == SearchNode::Kind::Term) terms.push_back(&node.term);
    if (node.kind != SearchNode::Kind::And) return;
    for (const auto& child : node.children)
        collect_needed(child, terms);
}

bool reads_groups(const SearchNode& node) {
    if (node.kind == SearchNode::Kind::Term) {
        return node.term.field == SearchField::GroupNames || node.term.field == SearchField::Any;
    }
    return std::any_of(node.children.begin(), node.children.end(), reads_groups);
}

/// Where the candidates of a query come from.
struct Candidates {
    enum class From { Things, Attribute, Type, Group };
    From from = From::Things;
    std::int64_t attribute = 0;
    Lookup lookup;
    bool by_value() const { return from == From::Attribute && lookup.is_prefix; }
};

Result<Candidates> choose(store::Reader& reader, const SearchNode& root) {
    std::vector<const SearchTerm*> terms;
    collect_needed(root, terms);
    Candidates best;
    for (const SearchTerm* term : terms) {
        const auto lookup = lookup_of(*term);
        if (!lookup) continue;
        if (term->field == SearchField::Attribute) {
            auto attribute = indexed_attribute(reader, term->attribute);
            if (!attribute) return std::move(attribute).error();
            if (*attribute && (best.from != Candidates::From::Attribute || !lookup->is_prefix))
                best = {Candidates::From::Attribute, **attribute, *lookup};
        }
        const bool is_name =
            term->field == SearchField::ThingTypeName || term->field == SearchField::GroupNames;
        if (!is_name || lookup->is_prefix || best.from != Candidates::From::Things) continue;
        const bool is_type = term->field == SearchField::ThingTypeName;
        best = {is_type ? Candidates::From::Type : Candidates::From::Group, 0, *lookup};
    }
    return best;
}

/// The first text after every text that begins with `prefix`.
std::string after_prefix(std::string prefix) {
    prefix += '\x7f';  // values are ASCII, without DEL
    return prefix;
}

/// A position: the thing's key, and before it, in an order by value, that value: "KEY" "KEY:VALUE".
struct SearchPosition {
    std::int64_t key = 0;
    std::string value;
};
Result<SearchPosition> position_of(const PageRequest& request) {
    SearchPosition position;
    const std::size_t colon = request.after.find(':');
    auto key = key_position({request.after.substr(0, colon), request.limit});
    if (!key) return std::move(key).error();
    position.key = *key;
    if (colon != std::string::npos) position.value = request.after.substr(colon + 1);
    return position;
}

/// Columns as kThingColumns, then the value that orders them.
store::Statement candidate_rows(store::Reader& reader,
                                const Candidates& candidates,
                                const SearchPosition& after) {
    static const std::string kSelect = "SELECT " + std::string(kThingColumns);
    static const std::string kAll = kSelect + " FROM things t WHERE t.key > ? ORDER BY t.key";
    static const std::string kOfType =
        kSelect +
        " FROM things t WHERE t.key > ?1 "
        "AND t.type IN (SELECT key FROM thing_types WHERE lower(name) = ?2) ORDER BY t.key";
    static const std::string kOfGroup =
        kSelect +
        " FROM things t WHERE t.key > ?1 AND t.key IN "
        "(SELECT thing FROM thing_group_members WHERE thing_group IN "
        "(SELECT key FROM thing_groups WHERE lower(name) = ?2)) ORDER BY t.key";
    static const std::string kOfValue =
        kSelect +
        " FROM attribute_values v JOIN things t ON t.key = v.thing "
        "WHERE v.thing > ?1 AND v.attribute = ?2 AND v.value = ?3 ORDER BY v.thing";
    static const std::string kOfPrefix =
        kSelect +
        ", v.value FROM attribute_values v JOIN things t ON t.key = v.thing "
        "WHERE (v.value, v.thing) > (?3, ?1) AND v.attribute = ?2 AND v.value >= ?4 "
        "AND v.value < ?5 ORDER BY v.value, v.thing";
    const std::string& text = candidates.lookup.text;
    switch (candidates.from) {
        case Candidates::From::Type:
            return reader.query(kOfType, after.key, text);
        case Candidates::From::Group:
            return reader.query(kOfGroup, after.key, text);
        case Candidates::From::Attribute:
            if (!candidates.lookup.is_prefix)
                return reader.query(kOfValue, after.key, candidates.attribute, text);
            return reader.query(
                kOfPrefix, after.key, candidates.attribute, after.value, text, after_prefix(text));
        case Candidates::From::Things:
            break;
    }
    return reader.query(kAll, after.key);
}

Result<std::vector<std::string>> group_names(store::Reader& reader, std::int64_t thing) {
    return read_all(reader.query("SELECT g.name FROM thing_group_members m JOIN thing_groups g "
                                 "ON g.key = m.thing_group WHERE m.thing = ? ORDER BY g.name",
                                 thing),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

}  // namespace

Result<Page<FoundThing>> search_things(store::Reader& reader,
                                       const SearchQuery& query,
                                       const PageRequest& request) {
    auto candidates = choose(reader, query.root());
    if (!candidates) return std::move(candidates).error();
    auto after = position_of(request);
    if (!after) return std::move(after).error();
    const bool groups_decide = reads_groups(query.root());
    const std::size_t limit =
        static_cast<std::size_t>(std::clamp(request.limit, 1, kMaxSearchPage));
    auto rows = candidate_rows(reader, *candidates, *after);
    Page<FoundThing> page;
    std::string last;
    while (true) {
        auto row = rows.step();
        if (!row) return std::move(row).error();
        if (!*row) break;
        FoundThing found{make_thing(rows), {}};
        std::string position = std::to_string(found.thing.key);
        if (candidates->by_value()) position.append(":").append(rows.text(kThingColumnCount));
        if (groups_decide) {
            auto groups = group_names(reader, found.thing.key);
            if (!groups) return std::move(groups).error();
            found.groups = std::move(*groups);
        }
        if (!matches(query, found)) continue;
        if (page.items.size() == limit) {
            page.next = std::move(last);
            break;
        }
        page.items.push_back(std::move(found));
        last = std::move(position);
    }
    if (groups_decide) return page;
    for (auto& found : page.items) {
        auto groups = group_names(reader, found.thing.key);
        if (!groups) return std::move(groups).error();
        found.groups = std::move(*groups);
    }
    return page;
}

Result<> add_indexed_attributes(store::Tx& tx, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (auto good = check_attribute(name, ""); !good) return good;
    }
    return index_attributes(tx, names);
}

Result<std::vector<std::string>> indexed_attributes(store::Reader& reader) {
    return read_all(reader.query("SELECT name FROM indexed_attributes ORDER BY name"),
                    [](const store::Statement& row) { return std::string(row.text(0)); });
}

std::string lower_case(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

Result<std::optional<std::int64_t>> indexed_attribute(store::Reader& reader,
                                                      std::string_view name) {
    auto key = read_count(reader.query("SELECT key FROM indexed_attributes WHERE name = ?", name));
    if (!key) return std::move(key).error();
    return *key == 0 ? std::optional<std::int64_t>() : std::optional(*key);
}

Result<> index_attributes(store::Tx& tx, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        auto known = indexed_attribute(tx, name);
        if (!known) return std::move(known).error();
        if (*known) continue;
        auto made = tx.run("INSERT INTO indexed_attributes(name) VALUES(?)", name);
        if (!made) return made;
        made = tx.run(
            "INSERT INTO attribute_values(attribute, value, thing) "
            "SELECT ?1, lower(json_extract(attributes, ?2)), key FROM things "
            "WHERE json_extract(attributes, ?2) IS NOT NULL",
            tx.last_insert_rowid(),
            "$.\"" + name + "\"");
        if (!made) return made;
    }
    return {};
}

namespace {

using IndexedAttributes = std::vector<std::pair<std::int64_t, std::string>>;

/// Remembered, as every write of a thing asks.
Result<std::shared_ptr<const IndexedAttributes>> known_indexed_attributes(store::Tx& tx) {
    using Known = std::shared_ptr<const IndexedAttributes>;
    constexpr std::string_view kTable = "indexed_attributes";
    if (const auto* known = tx.recall<Known>(kTable, {})) return *known;
    auto rows = read_all(tx.query("SELECT key, name FROM indexed_attributes"),
                         [](const store::Statement& row) {
                             return std::pair(row.integer(0), std::string(row.text(1)));
                         });
    if (!rows) return std::move(rows).error();
    Known known = std::make_shared<const IndexedAttributes>(std::move(*rows));
    tx.remember(kTable, {}, known);
    return known;
}

}  // namespace

Result<> index_thing(store::Tx& tx,
                     std::int64_t thing,
                     const Attributes& before,
                     const Attributes& after) {
    if (before == after) return {};
    auto indexed = known_indexed_attributes(tx);
    if (!indexed) return std::move(indexed).error();
    for (const auto& [attribute, name] : **indexed) {
        const auto old_value = before.find(name), new_value = after.find(name);
        const bool was_there = old_value != before.end(), is_there = new_value != after.end();
        if (was_there && is_there && old_value->second == new_value->second) continue;
        if (was_there) {
            auto gone = tx.run(
                "DELETE FROM attribute_values WHERE attribute = ? AND value = ? AND "
                "thing = ?",
                attribute,
                lower_case(old_value->second),
                thing);
            if (!gone) return gone;
        }
        if (!is_there) continue;
        auto made = tx.run("INSERT INTO attribute_values(attribute, value, thing) VALUES(?, ?, ?)",
                           attribute,
                           lower_case(new_value->second),
                           thing);
        if (!made) return made;
    }
    return {};
}

}  // namespace hatchery::registry
