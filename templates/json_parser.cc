// Text -> Document. Recursive descent, depth bounded by kMaxDepth; stops at the first error, since
// what follows broken punctuation is guesswork.
#include "templates/json_document.h"
#include "templates/text.h"

#include <algorithm>
#include <utility>

namespace hatchery::templates::json {

class Parser {
  public:
    explicit Parser(Document& document) : document_(document), text_(document.text_) {}

    bool run() {
        if (text_.substr(0, 3) == "\xEF\xBB\xBF") {
            return fail(0,
                        3,
                        "expected a JSON value, found a byte order mark",
                        "save the file as UTF-8 without byte order mark");
        }
        document_.nodes_.reserve(text_.size() / 24 + 8);
        skip_space();
        if (!value(0, 0)) return false;
        skip_space();
        if (at_ == text_.size()) return true;
        return fail_here("the end of the text after the JSON value");
    }

    SyntaxError error() && { return std::move(error_); }

  private:
    bool fail(std::size_t begin, std::size_t end, std::string message, std::string suggestion) {
        error_.range = document_.range(begin, end);
        error_.message = std::move(message);
        error_.suggestion = std::move(suggestion);
        return false;
    }

    /// What stands at the cursor, for a reader: a word, a character, or the end.
    std::string found(std::size_t& length) const {
        length = 0;
        if (at_ >= text_.size()) return "the end of the text";
        const std::string_view rest = text_.substr(at_);
        while (length < rest.size() && length < 32 && is_word(rest[length]))
            ++length;
        if (length == 0) length = std::max<std::size_t>(1, utf8_length(rest));
        return "'" + printable(rest.substr(0, length)) + "'";
    }

    bool fail_here(std::string_view expected) {
        std::size_t length = 0;
        std::string message = "expected " + std::string(expected) + ", found " + found(length);
        return fail(at_, at_ + length, std::move(message), hint());
    }

    /// The mistakes people make most: what the text at the cursor probably was meant to be.
    std::string hint() const {
        const std::string_view rest = text_.substr(at_);
        if (rest.empty()) {
            const bool has_bracket = text_.find_first_of("{[") != std::string_view::npos;
            return has_bracket ? "is a closing bracket missing?" : "";
        }
        if (rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#')) {
            return "JSON has no comments";
        }
        if (rest.starts_with('\'')) return "JSON strings stand in double quotes";
        // In {{name}} the first brace was read as an object.
        const std::size_t start =
            at_ > 0 && text_[at_ - 1] == '{' && rest[0] == '{' ? at_ - 1 : at_;
        const std::string_view line = line_from(start);
        if (const auto placeholder = find_placeholder(line);
            placeholder && line.starts_with(*placeholder)) {
            return "was the placeholder " + std::string(*placeholder) + " left unfilled?";
        }
        if (rest.starts_with("True")) return "did you mean true?";
        if (rest.starts_with("False")) return "did you mean false?";
        if (rest.starts_with("None")) return "did you mean null?";
        if (after_comma_ && (rest.starts_with('}') || rest.starts_with(']'))) {
            return "remove the comma before it";
        }
        return {};
    }

    std::string_view line_from(std::size_t start) const {
        constexpr std::size_t longest = 256;  // placeholders are short, files may be one long line
        const std::string_view rest = text_.substr(start, longest);
        return rest.substr(0, rest.find('\n'));
    }

    static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
            ++at_;
        }
    }

    NodeId add(NodeId parent) {
        document_.nodes_.emplace_back();
        document_.nodes_.back().parent = parent;
        document_.nodes_.back().begin = static_cast<std::uint32_t>(at_);
        return static_cast<NodeId>(document_.nodes_.size() - 1);
    }
    Node& node(NodeId id) { return document_.nodes_[id]; }

    void finish(NodeId id, Type type, std::string_view text) {
        node(id).type = type;
        node(id).text = text;
        node(id).end = static_cast<std::uint32_t>(at_);
    }

    /// Links `child` behind `last` below `parent`.
    void link(NodeId parent, NodeId last, NodeId child) {
        if (last == 0) {
            node(parent).first = child;
        } else {
            node(last).next = child;
        }
        node(child).index = node(parent).size++;
    }

    bool value(NodeId parent, std::size_t depth) {
        const NodeId id = add(parent);
        const char c = peek();
        after_comma_ = after_comma_ && (c == '}' || c == ']');
        if (c == '{') return object(id, depth + 1);
        if (c == '[') return list(id, depth + 1);
        if (c == '"') {
            std::string_view text;
            if (!string(text)) return false;
            finish(id, Type::String, text);
            return true;
        }
        if (c == '-' || (c >= '0' && c <= '9')) return number(id);
        return word(id, "null", Type::Null) || word(id, "true", Type::Boolean) ||
               word(id, "false", Type::Boolean) || fail_here("a JSON value");
    }

    bool word(NodeId id, std::string_view literal, Type type) {
        const std::string_view rest = text_.substr(at_);
        if (!rest.starts_with(literal)) return false;
        if (rest.size() > literal.size() && is_word(rest[literal.size()])) return false;
        const std::string_view text = text_.substr(at_, literal.size());
        at_ += literal.size();
        finish(id, type, text);
        return true;
    }

    bool enter(std::size_t depth) {
        if (depth <= kMaxDepth) return true;
        error_.too_deep = true;
        return fail(
            at_,
            at_ + 1,
            "expected at most " + std::to_string(kMaxDepth) + " levels of brackets, found one more",
            {});
    }

    /// After a child: a comma (then another child comes), or `close`.
    bool more(char close, bool& goes_on) {
        skip_space();
        goes_on = peek() == ',';
        if (goes_on) {
            ++at_;
            after_comma_ = true;
            skip_space();
            return true;
        }
        if (peek() == close) {
            ++at_;
            return true;
        }
        return fail_here(close == '}' ? "',' or '}' after a member" : "',' or ']' after an entry");
    }

    bool list(NodeId id, std::size_t depth) {
        if (!enter(depth)) return false;
        ++at_;
        skip_space();
        NodeId last = 0;
        bool goes_on = peek() != ']';
        if (!goes_on) ++at_;
        while (goes_on) {
            const auto child = static_cast<NodeId>(document_.nodes_.size());
            if (!value(id, depth)) return false;
            link(id, last, child);
            last = child;
            if (!more(']', goes_on)) return false;
        }
        finish(id, Type::List, {});
        return true;
    }

    bool object(NodeId id, std::size_t depth) {
        if (!enter(depth)) return false;
        ++at_;
        skip_space();
        NodeId last = 0;
        bool goes_on = peek() != '}';
        if (!goes_on) ++at_;
        while (goes_on) {
            NodeId child = 0;
            if (!member(id, depth, child)) return false;
            link(id, last, child);
            last = child;
            if (!more('}', goes_on)) return false;
        }
        finish(id, Type::Object, {});
        return true;
    }

    bool member(NodeId parent, std::size_t depth, NodeId& child) {
        if (peek() != '"') return fail_here("a member name in double quotes");
        after_comma_ = false;
        const auto key_begin = static_cast<std::uint32_t>(at_);
        std::string_view key;
        if (!string(key)) return false;
        const auto key_end = static_cast<std::uint32_t>(at_);
        skip_space();
        if (peek() != ':') return fail_here("':' after the member name");
        ++at_;
        skip_space();
        child = static_cast<NodeId>(document_.nodes_.size());
        if (!value(parent, depth)) return false;
        node(child).key = key;
        node(child).key_begin = key_begin;
        node(child).key_end = key_end;
        return true;
    }

    bool digits() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9')
            ++at_;
        return at_ > start;
    }

    bool number(NodeId id) {
        const std::size_t start = at_;
        if (peek() == '-') ++at_;
        const bool leading_zero = peek() == '0';
        const std::size_t first_digit = at_;
        if (!digits()) return fail_here("a digit");
        if (leading_zero && at_ - first_digit > 1) {
            return fail(start,
                        at_,
                        "expected a number without leading zeros, found '" +
                            printable(text_.substr(start, at_ - start)) + "'",
                        "write it as a string");
        }
        if (peek() == '.') {
            ++at_;
            if (!digits()) return fail_here("a digit after '.'");
        }
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (peek() == '+' || peek() == '-') ++at_;
            if (!digits()) return fail_here("a digit in the exponent");
        }
        finish(id, Type::Number, text_.substr(start, at_ - start));
        return true;
    }

    bool string(std::string_view& out) {
        const std::size_t start = ++at_;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                out = text_.substr(start, at_ - start);
                ++at_;
                return true;
            }
            if (c == '\\') return string_with_escapes(start, out);
            if (!plain_character()) return false;
        }
        return fail(start - 1, start, "expected a closing '\"', found the end of the text", {});
    }

    /// Steps over one UTF-8 character that a string may hold as it is.
    bool plain_character() {
        const auto byte = static_cast<unsigned char>(text_[at_]);
        if (byte < 0x20) {
            return fail(at_,
                        at_ + 1,
                        byte == '\n' ? "expected a closing '\"', found the end of the line"
                                     : "expected an escape, found a control character in a string",
                        byte == '\n' ? "a line break in a string is written \\n" : "");
        }
        const std::size_t length = byte < 0x80 ? 1 : utf8_length(text_.substr(at_));
        if (length == 0) return fail(at_, at_ + 1, "expected UTF-8, found another byte", {});
        at_ += length;
        return true;
    }

    bool string_with_escapes(std::size_t start, std::string_view& out) {
        std::string& decoded = document_.decoded_;
        // Decoding never lengthens: one reservation keeps every view valid.
        if (decoded.capacity() < text_.size()) decoded.reserve(text_.size());
        const std::size_t begin = decoded.size();
        decoded.append(text_.substr(start, at_ - start));
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                out = std::string_view(decoded).substr(begin);
                ++at_;
                return true;
            }
            if (c == '\\') {
                if (!escape(decoded)) return false;
                continue;
            }
            const std::size_t from = at_;
            if (!plain_character()) return false;
            decoded.append(text_.substr(from, at_ - from));
        }
        return fail(start - 1, start, "expected a closing '\"', found the end of the text", {});
    }

    bool escape(std::string& decoded) {
        constexpr std::string_view names = "\"\\/bfnrt";
        constexpr std::string_view values = "\"\\/\b\f\n\r\t";
        const std::size_t start = at_++;
        const char c = peek();
        if (const std::size_t i = names.find(c); i != std::string_view::npos && c != '\0') {
            decoded += values[i];
            ++at_;
            return true;
        }
        std::uint32_t unit = 0;
        if (c != 'u' || !hex_unit(unit)) return bad_escape(start);
        if (unit >= 0xDC00 && unit <= 0xDFFF) return bad_escape(start);
        if (unit >= 0xD800 && unit <= 0xDBFF) {  // RFC 8259 section 7: a surrogate pair
            std::uint32_t low = 0;
            if (peek() != '\\') return bad_escape(start);
            ++at_;
            if (peek() != 'u' || !hex_unit(low)) return bad_escape(start);
            if (low < 0xDC00 || low > 0xDFFF) return bad_escape(start);
            unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
        }
        append_utf8(decoded, unit);
        return true;
    }

    bool bad_escape(std::size_t start) {
        const std::size_t end = std::min(std::max(at_, start + 2), text_.size());
        return fail(start,
                    end,
                    "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u with four "
                    "hexadecimal digits (surrogates in pairs), found '" +
                        printable(text_.substr(start, end - start)) + "'",
                    {});
    }

    /// Four hexadecimal digits behind the 'u' at the cursor.
    bool hex_unit(std::uint32_t& out) {
        ++at_;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = peek();
            std::uint32_t digit = 0;
            if (c >= '0' && c <= '9') {
                digit = static_cast<std::uint32_t>(c - '0');
            } else if (c >= 'a' && c <= 'f') {
                digit = static_cast<std::uint32_t>(c - 'a' + 10);
            } else if (c >= 'A' && c <= 'F') {
                digit = static_cast<std::uint32_t>(c - 'A' + 10);
            } else {
                return false;
            }
            out = out * 16 + digit;
        }
        return true;
    }

    Document& document_;
    std::string_view text_;
    std::size_t at_ = 0;
    bool after_comma_ = false;
    SyntaxError error_;
};

tl::expected<std::shared_ptr<const Document>, SyntaxError> Document::parse(std::string text) {
    // make_shared cannot reach the private constructor; the handle owns it from the first moment.
    std::shared_ptr<Document> document(new Document());
    document->text_ = std::move(text);
    Parser parser(*document);
    if (!parser.run()) return tl::make_unexpected(std::move(parser).error());
    document->nodes_.shrink_to_fit();
    return document;
}

}  // namespace hatchery::templates::json
