#include "templates/json_document.h"

#include <algorithm>

namespace hatchery::templates::json {

std::string_view to_string(Type type) {
    switch (type) {
        case Type::Null:
            return "null";
        case Type::Boolean:
            return "a boolean";
        case Type::Number:
            return "a number";
        case Type::String:
            return "a string";
        case Type::List:
            return "a list";
        case Type::Object:
            break;
    }
    return "an object";
}

std::optional<Value> Value::find(std::string_view key) const {
    if (!is(Type::Object)) return std::nullopt;
    for (const Value member : *this) {
        if (member.key() == key) return member;
    }
    return std::nullopt;
}

Value Value::at(std::size_t index) const {
    auto child = begin();
    for (std::size_t i = 0; i < index; ++i)
        ++child;
    return *child;
}

std::string Document::pointer(NodeId id) const {
    std::vector<NodeId> path;
    for (NodeId at = id; at != 0; at = nodes_[at].parent)
        path.push_back(at);
    std::string out;
    for (auto at = path.rbegin(); at != path.rend(); ++at) {
        const Node& node = nodes_[*at];
        out += '/';
        if (nodes_[node.parent].type == Type::List) {
            out += std::to_string(node.index);
            continue;
        }
        for (const char c : node.key) {  // RFC 6901 section 3
            if (c == '~') {
                out += "~0";
            } else if (c == '/') {
                out += "~1";
            } else {
                out += c;
            }
        }
    }
    return out;
}

namespace {

void advance(std::string_view text, std::size_t& line, std::size_t& column) {
    for (const char c : text) {
        if (c == '\n') {
            ++line;
            column = 1;
        } else {
            ++column;
        }
    }
}

}  // namespace

Range range_in(std::string_view text, std::size_t begin, std::size_t end) {
    Range range;
    advance(text.substr(0, begin), range.line, range.column);
    range.end_line = range.line;
    range.end_column = range.column;
    advance(text.substr(begin, end - begin), range.end_line, range.end_column);
    return range;
}

std::vector<NodeId> Document::duplicates() const {
    std::vector<NodeId> found;
    std::vector<NodeId> members;
    for (const Node& object : nodes_) {
        if (object.type != Type::Object || object.size < 2) continue;
        members.clear();
        for (NodeId at = object.first; at != 0; at = nodes_[at].next)
            members.push_back(at);
        // Sorted, so that an object of thousands of members costs no quadratic time.
        std::stable_sort(members.begin(), members.end(), [&](NodeId a, NodeId b) {
            return nodes_[a].key < nodes_[b].key;
        });
        for (std::size_t i = 1; i < members.size(); ++i) {
            if (nodes_[members[i]].key == nodes_[members[i - 1]].key) found.push_back(members[i]);
        }
    }
    return found;
}

std::size_t Document::memory() const {
    return sizeof *this + text_.capacity() + decoded_.capacity() + nodes_.capacity() * sizeof(Node);
}

void append_quoted(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4U];
            out += digits[byte & 0xFU];
        } else {
            out += c;
        }
    }
    out += '"';
}

namespace {

void append_compact(std::string& out, Value value) {
    switch (value.type()) {
        case Type::Null:
            out += "null";
            return;
        case Type::Boolean:
        case Type::Number:
            out += value.text();
            return;
        case Type::String:
            append_quoted(out, value.text());
            return;
        case Type::List:
        case Type::Object:
            break;
    }
    const bool is_object = value.is(Type::Object);
    out += is_object ? '{' : '[';
    bool is_first = true;
    for (const Value child : value) {
        if (!is_first) out += ',';
        is_first = false;
        if (is_object) {
            append_quoted(out, child.key());
            out += ':';
        }
        append_compact(out, child);
    }
    out += is_object ? '}' : ']';
}

}  // namespace

std::string compact(Value value) {
    std::string out;
    append_compact(out, value);
    return out;
}

}  // namespace hatchery::templates::json
