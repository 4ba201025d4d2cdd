// A strict RFC 8259 reader that keeps where each value stands, so that a finding can point at it.
// nlohmann's SAX interface gives positions for errors only; templates need one for every value.
#pragma once

#include "templates/template.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates::json {

enum class Type : std::uint8_t { Null, Boolean, Number, String, List, Object };
std::string_view to_string(Type type);  ///< "null", "a boolean", "a number", "a string", …

/// Index of a value in its document; 0 is the root, which is nobody's child.
using NodeId = std::uint32_t;

/// One value. `text` is a string's decoded value or a number's or boolean's literal; `key` is the
/// decoded member name when the parent is an object. Offsets are bytes of the document's text.
struct Node {
    Type type = Type::Null;
    std::uint32_t begin = 0, end = 0;
    std::uint32_t key_begin = 0, key_end = 0;
    NodeId parent = 0, first = 0, next = 0;
    std::uint32_t size = 0;   ///< number of children
    std::uint32_t index = 0;  ///< position in its parent
    std::string_view key, text;
};

class Document;

/// A value of a document, as cheap as a pointer; the document must outlive it.
class Value {
  public:
    Value(const Document& document, NodeId id) : document_(&document), id_(id) {}
    const Node& node() const;
    const Document& document() const { return *document_; }
    NodeId id() const { return id_; }
    Type type() const { return node().type; }
    bool is(Type type) const { return node().type == type; }
    std::string_view text() const { return node().text; }
    std::string_view key() const { return node().key; }
    std::size_t size() const { return node().size; }

    class Iterator {
      public:
        using difference_type = std::ptrdiff_t;
        using value_type = Value;
        Iterator(const Document& document, NodeId id) : document_(&document), id_(id) {}
        Value operator*() const { return {*document_, id_}; }
        Iterator& operator++();
        bool operator==(const Iterator& other) const { return id_ == other.id_; }

      private:
        const Document* document_;
        NodeId id_;
    };
    Iterator begin() const { return {*document_, node().first}; }
    Iterator end() const { return {*document_, 0}; }

    /// The first member of that name; nothing if this is no object or has none.
    std::optional<Value> find(std::string_view key) const;
    /// The child at `index`. @pre index < size()
    Value at(std::size_t index) const;

  private:
    const Document* document_;
    NodeId id_;
};

/// Why a text is no JSON document; `too_deep` tells nesting beyond kMaxDepth from malformed text.
struct SyntaxError {
    bool too_deep = false;
    Range range;
    std::string message;
    std::string suggestion;
};

inline constexpr std::size_t kMaxDepth = 64;

/// The lines and columns of the bytes [begin, end) of `text`.
Range range_in(std::string_view text, std::size_t begin, std::size_t end);

/// A parsed text. Owns it; immutable; values point into it.
class Document {
  public:
    static tl::expected<std::shared_ptr<const Document>, SyntaxError> parse(std::string text);
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    Value root() const { return {*this, 0}; }
    const Node& node(NodeId id) const { return nodes_[id]; }
    std::size_t node_count() const { return nodes_.size(); }
    const std::string& text() const { return text_; }
    /// RFC 6901 pointer of a value.
    std::string pointer(NodeId id) const;
    Range range(std::size_t begin, std::size_t end) const { return range_in(text_, begin, end); }
    /// Members whose name an earlier member of the same object has.
    std::vector<NodeId> duplicates() const;
    /// About how many bytes this document holds.
    std::size_t memory() const;

  private:
    friend class Parser;
    Document() = default;
    std::string text_;
    std::string decoded_;  ///< strings that had escapes; reserved once, so views into it stay
    std::vector<Node> nodes_;
};

inline const Node& Value::node() const {
    return document_->node(id_);
}
inline Value::Iterator& Value::Iterator::operator++() {
    id_ = document_->node(id_).next;
    return *this;
}

/// Appends `text` as a JSON string with its quotes; only what RFC 8259 section 7 demands is
/// escaped.
void append_quoted(std::string& out, std::string_view text);
/// `value` without white space, members in their order, strings in one spelling.
std::string compact(Value value);

}  // namespace hatchery::templates::json
