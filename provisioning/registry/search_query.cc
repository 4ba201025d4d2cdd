#include "provisioning/registry/search_query.h"

#include "provisioning/registry/search_index.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::registry {

namespace {

using Node = SearchQuery::Node;
using Field = SearchTerm::Field;

constexpr std::size_t kMaxQueryBytes = 1000;
constexpr int kMaxTerms = 12;  // AWS IoT quotas, fleet indexing
constexpr int kMaxNesting = 16;

constexpr std::array<std::pair<std::string_view, Field>, 6> kSearchFields{{
    {"thingName", Field::ThingName},
    {"thingId", Field::ThingId},
    {"thingTypeName", Field::ThingTypeName},
    {"registry.thingTypeName", Field::ThingTypeName},
    {"thingGroupNames", Field::GroupNames},
    {"registry.thingGroupNames", Field::GroupNames},
}};
constexpr std::string_view kAttributePrefix = "attributes.";

Error bad_query(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "queryString");
}

struct FieldName {
    Field field = Field::Any;
    std::string attribute;
};

Result<FieldName> read_field(std::string_view name) {
    for (const auto& [known, field] : kSearchFields) {
        if (name == known) return FieldName{field, {}};
    }
    if (name.starts_with(kAttributePrefix) && name.size() > kAttributePrefix.size()) {
        return FieldName{Field::Attribute, std::string(name.substr(kAttributePrefix.size()))};
    }
    return bad_query(
        "expected thingName, thingId, thingTypeName, thingGroupNames or attributes."
        "NAME, found field '" +
        std::string(name) + "'");
}

/// One pass over the text, by recursive descent:
///   any = all ("OR" all)*;  all = one (["AND"] one)*;  one = ("NOT" | "-") one | "(" any ")" |
///   term
class QueryParser {
  public:
    explicit QueryParser(std::string_view text) : text_(text) {}

    Result<Node> parse() {
        auto node = read_any({});
        if (!node) return node;
        skip_space();
        if (at_ < text_.size()) return bad_query("expected no ')' at " + place());
        return node;
    }

  private:
    std::string place() const { return "character " + std::to_string(at_ + 1); }
    bool at_end() const { return at_ == text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[at_]; }
    void skip_space() {
        while (!at_end() && peek() == ' ')
            ++at_;
    }
    bool take(char c) {
        skip_space();
        if (peek() != c) return false;
        ++at_;
        return true;
    }
    /// A keyword that stands alone.
    bool take_word(std::string_view word) {
        skip_space();
        if (text_.substr(at_, word.size()) != word) return false;
        const std::size_t after = at_ + word.size();
        if (after < text_.size() && text_[after] != ' ' && text_[after] != '(') return false;
        at_ = after;
        return true;
    }
    bool is_at_clause() {
        skip_space();
        return !at_end() && peek() != ')' && !is_at_or();
    }
    bool is_at_or() {
        const std::size_t start = at_;
        const bool is_or = take_word("OR");
        at_ = start;
        return is_or;
    }

    /// `field` is that of an enclosing field:( … ), or Any.
    Result<Node> read_any(const FieldName& field) {
        if (++nesting_ > kMaxNesting) return bad_query("expected a query nested at most 16 deep");
        auto node = read_joined(field, Node::Kind::Or);
        --nesting_;
        return node;
    }

    Result<Node> read_joined(const FieldName& field, Node::Kind kind) {
        Node joined{kind, {}, {}};
        do {
            auto part =
                kind == Node::Kind::Or ? read_joined(field, Node::Kind::And) : read_one(field);
            if (!part) return part;
            joined.children.push_back(std::move(*part));
        } while (kind == Node::Kind::Or ? take_word("OR") : goes_on_with_and());
        if (joined.children.size() > 1) return joined;
        Node only = std::move(joined.children.front());
        return only;
    }
    bool goes_on_with_and() { return take_word("AND") || is_at_clause(); }

    Result<Node> read_one(const FieldName& field) {
        if (take_word("NOT") || take('-')) {
            if (++nesting_ > kMaxNesting)
                return bad_query("expected a query nested at most 16 deep");
            auto inner = read_one(field);
            --nesting_;
            if (!inner) return inner;
            Node negation{Node::Kind::Not, {}, {}};
            negation.children.push_back(std::move(*inner));
            return negation;
        }
        if (take('(')) return read_group(field);
        return read_clause(field);
    }

    Result<Node> read_group(const FieldName& field) {
        auto inner = read_any(field);
        if (!inner) return inner;
        if (!take(')')) return bad_query("expected ')' at " + place());
        return inner;
    }

    Result<Node> read_clause(const FieldName& enclosing) {
        skip_space();
        if (++terms_ > kMaxTerms) return bad_query("expected at most 12 terms");
        if (enclosing.field != Field::Any) return read_value(enclosing);
        // A name before ':' or a comparison is a field.
        const std::size_t end = text_.find_first_of(" :<>()[]{}\"\\", at_);
        const bool has_field = end != std::string_view::npos && end > at_ &&
                               (text_[end] == ':' || text_[end] == '<' || text_[end] == '>');
        if (!has_field) return read_value(enclosing);
        auto field = read_field(text_.substr(at_, end - at_));
        if (!field) return std::move(field).error();
        at_ = end;
        if (peek() != ':') return read_comparison(*field);
        ++at_;
        if (peek() == '<' || peek() == '>') return read_comparison(*field);
        if (peek() == '(') {
            ++at_;
            return read_group(*field);
        }
        return read_value(*field);
    }

    static Node term_of(const FieldName& field) {
        Node node;
        node.term.field = field.field;
        node.term.attribute = field.attribute;
        return node;
    }

    Result<Node> read_value(const FieldName& field) {
        Node node = term_of(field);
        if (peek() == '[' || peek() == '{') return read_range(std::move(node));
        auto text = read_text(true);
        if (!text) return std::move(text).error();
        const bool leads_with_wildcard = text->front() == kAnyRun || text->front() == kAnyOne;
        if (leads_with_wildcard && *text != std::string(1, kAnyRun))
            return bad_query("expected no wildcard at the start of a term");
        node.term.text = std::move(*text);
        return node;
    }

    Result<Node> read_comparison(const FieldName& field) {
        const bool is_less = peek() == '<';
        ++at_;
        SearchTerm::Bound bound;
        bound.is_inclusive = peek() == '=';
        if (bound.is_inclusive) ++at_;
        auto text = read_text(false);
        if (!text) return std::move(text).error();
        bound.value = std::move(*text);
        Node node = term_of(field);
        node.term.is_range = true;
        (is_less ? node.term.highest : node.term.lowest) = std::move(bound);
        return node;
    }

    /// "[10 TO 20]", "{10 TO 20}"; * is open.
    Result<Node> read_range(Node node) {
        node.term.is_range = true;
        const bool includes_lowest = peek() == '[';
        ++at_;
        skip_space();
        auto lowest = read_text(false);
        if (!lowest) return std::move(lowest).error();
        if (!take_word("TO")) return bad_query("expected TO at " + place());
        skip_space();
        auto highest = read_text(false);
        if (!highest) return std::move(highest).error();
        skip_space();
        const bool includes_highest = peek() == ']';
        if (!includes_highest && peek() != '}')
            return bad_query("expected ']' or '}' at " + place());
        ++at_;
        if (*lowest != "*") node.term.lowest = {std::move(*lowest), includes_lowest};
        if (*highest != "*") node.term.highest = {std::move(*highest), includes_highest};
        return node;
    }

    /// A word, or text in quotes (there wildcards are plain characters).
    Result<std::string> read_text(bool with_wildcards) {
        const bool is_quoted = peek() == '"';
        if (is_quoted) ++at_;
        std::string text;
        for (; !at_end(); ++at_) {
            char c = peek();
            if (is_quoted ? c == '"' : std::string_view(" ()[]{}\"").find(c) != std::string::npos)
                break;
            if (c == '\\' && at_ + 1 < text_.size()) {
                text += text_[++at_];
            } else if (with_wildcards && !is_quoted && (c == '*' || c == '?')) {
                text += c == '*' ? kAnyRun : kAnyOne;
            } else {
                text += c;
            }
        }
        if (is_quoted && !take('"')) return bad_query("expected '\"' at " + place());
        if (text.empty()) return bad_query("expected a value at " + place());
        return lower_case(text);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int terms_ = 0;
    int nesting_ = 0;
};

/// Does all of `text` match? Going back to the last run only is enough.
bool matches_wildcards(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0;
    std::optional<std::size_t> after_run;
    std::size_t run_at = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == kAnyRun) {
            after_run = ++p;
            run_at = t;
        } else if (p < pattern.size() && (pattern[p] == kAnyOne || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (after_run) {
            p = *after_run;
            t = ++run_at;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == kAnyRun)
        ++p;
    return p == pattern.size();
}

std::optional<double> number_in(std::string_view text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

/// <0, 0 or >0: as numbers if both are, else as texts.
int compared(std::string_view a, std::string_view b) {
    const auto x = number_in(a), y = number_in(b);
    if (x && y) return *x < *y ? -1 : (*x > *y ? 1 : 0);
    return a.compare(b);
}

bool value_matches(const SearchTerm& term, std::string_view raw) {
    const std::string value = lower_case(raw);
    if (!term.is_range) return matches_wildcards(term.text, value);
    if (term.lowest) {
        const int order = compared(value, term.lowest->value);
        if (order < 0 || (order == 0 && !term.lowest->is_inclusive)) return false;
    }
    if (term.highest) {
        const int order = compared(value, term.highest->value);
        if (order > 0 || (order == 0 && !term.highest->is_inclusive)) return false;
    }
    return true;
}

bool term_matches(const SearchTerm& term, const FoundThing& found) {
    const Thing& thing = found.thing;
    const bool any = term.field == Field::Any;
    const auto is = [&](Field field) { return any || term.field == field; };
    if (is(Field::ThingName) && value_matches(term, thing.name)) return true;
    if (is(Field::ThingId) && value_matches(term, thing.id)) return true;
    if (is(Field::ThingTypeName) && thing.thing_type && value_matches(term, *thing.thing_type))
        return true;
    if (is(Field::GroupNames)) {
        for (const auto& group : found.groups) {
            if (value_matches(term, group)) return true;
        }
    }
    if (!is(Field::Attribute)) return false;
    for (const auto& [name, value] : thing.attributes) {
        if ((any || name == term.attribute) && value_matches(term, value)) return true;
    }
    return false;
}

bool node_matches(const Node& node, const FoundThing& found) {
    const auto holds = [&](const Node& child) { return node_matches(child, found); };
    switch (node.kind) {
        case Node::Kind::And:
            return std::all_of(node.children.begin(), node.children.end(), holds);
        case Node::Kind::Or:
            return std::any_of(node.children.begin(), node.children.end(), holds);
        case Node::Kind::Not:
            return !holds(node.children.front());
        case Node::Kind::Term:
            break;
    }
    return term_matches(node.term, found);
}

}  // namespace

Result<SearchQuery> SearchQuery::parse(std::string_view text) {
    if (text.size() > kMaxQueryBytes) {
        return bad_query("expected a query of at most 1000 bytes, found " +
                         std::to_string(text.size()));
    }
    const bool has_control =
        std::any_of(text.begin(), text.end(), [](char c) { return c >= '\0' && c < ' '; });
    if (has_control) return bad_query("expected no control characters");
    auto root = QueryParser(text).parse();
    if (!root) return std::move(root).error();
    return SearchQuery(std::make_shared<const Node>(std::move(*root)));
}

bool matches(const SearchQuery& query, const FoundThing& found) {
    return node_matches(query.root(), found);
}

}  // namespace hatchery::registry
