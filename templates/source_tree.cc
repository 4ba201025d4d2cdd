#include "templates/source_tree.h"

#include "templates/text.h"

#include <algorithm>

namespace hatchery::templates {

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Bytes of the decoded text that a JSON escape at `escape` stands for, and its own length.
std::pair<std::size_t, std::size_t> json_escape(std::string_view escape) {
    if (escape.size() < 6 || escape[1] != 'u') return {1, 2};
    // The text was parsed: an escape is complete, and a surrogate pair is four bytes of UTF-8.
    const auto unit = std::stoul(std::string(escape.substr(2, 4)), nullptr, 16);
    if (unit >= 0xD800 && unit <= 0xDBFF) return {4, 12};
    return {unit < 0x80 ? 1U : unit < 0x800 ? 2U : 3U, 6};
}

std::vector<std::size_t> json_offsets(std::string_view file, const SourceNode& node) {
    std::vector<std::size_t> offsets;
    std::size_t at = node.begin + 1;
    while (at + 1 < node.end) {
        const std::size_t start = at;
        std::size_t bytes = 1;
        if (file[at] == '\\') {
            const auto [decoded, written] = json_escape(file.substr(at));
            bytes = decoded;
            at += written;
        } else {
            ++at;
        }
        offsets.insert(offsets.end(), bytes, start);
    }
    offsets.push_back(at);
    return offsets;
}

/// Walks a YAML scalar beside its decoded text. Only what is no white space is compared: folding
/// and indentation change nothing else.
class YamlAligner {
  public:
    YamlAligner(std::string_view file, const SourceNode& node)
        : file_(file), node_(node), at_(node.begin) {}

    std::vector<std::size_t> run() {
        skip_properties();
        if (node_.writing == SourceNode::Writing::YamlBlock) {
            skip_line();
        } else if (node_.writing != SourceNode::Writing::YamlPlain) {
            ++at_;  // the quote
        }
        std::vector<std::size_t> offsets;
        offsets.reserve(node_.text.size() + 1);
        for (std::size_t i = 0; i < node_.text.size();) {
            if (is_space(node_.text[i])) {
                offsets.push_back(std::min(at_, file_.size()));
                ++i;
                continue;
            }
            std::size_t bytes = 1;
            const std::size_t start = next(bytes);
            if (start >= file_.size()) return unknown();
            if (bytes == 1 && !is_escaped_ && file_[start] != node_.text[i]) return unknown();
            bytes = std::min(bytes, node_.text.size() - i);
            offsets.insert(offsets.end(), bytes, start);
            i += bytes;
        }
        offsets.push_back(std::min(at_, file_.size()));
        return offsets;
    }

  private:
    /// The two could not be brought together: everything stands where the scalar begins.
    std::vector<std::size_t> unknown() const {
        return std::vector<std::size_t>(node_.text.size() + 1, node_.begin);
    }

    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < file_.size() ? file_[at_ + ahead] : '\0';
    }

    /// Tag and anchor belong to the node but not to its text.
    void skip_properties() {
        while (peek() == '!' || peek() == '&') {
            while (at_ < file_.size() && !is_space(file_[at_]))
                ++at_;
            while (is_space(peek()))
                ++at_;
        }
    }

    void skip_line() {
        while (at_ < file_.size() && file_[at_] != '\n')
            ++at_;
    }

    /// The next written character that is no white space; steps behind it. `bytes` = how many bytes
    /// of the text it stands for.
    std::size_t next(std::size_t& bytes) {
        is_escaped_ = false;
        while (at_ < file_.size()) {
            if (is_space(file_[at_])) {
                ++at_;
                continue;
            }
            const std::size_t start = at_;
            if (node_.writing == SourceNode::Writing::YamlSingle && peek() == '\'') {
                at_ += 2;  // '' stands for one quote
                return start;
            }
            if (node_.writing != SourceNode::Writing::YamlDouble || peek() != '\\') {
                ++at_;
                return start;
            }
            if (const std::size_t decoded = escape(); decoded > 0) {
                bytes = decoded;
                return start;
            }
            is_escaped_ = false;
        }
        return at_;
    }

    /// Steps over an escape of a double-quoted scalar; 0 when it stands for white space.
    std::size_t escape() {
        is_escaped_ = true;
        const char kind = peek(1);
        if (kind == 'x' || kind == 'u' || kind == 'U') {
            const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
            std::string hex(file_.substr(std::min(at_ + 2, file_.size()), digits));
            at_ += 2 + digits;
            const bool is_number =
                !hex.empty() && hex.find_first_not_of("0123456789abcdefABCDEF") == hex.npos;
            std::string decoded;
            append_utf8(decoded,
                        is_number ? static_cast<std::uint32_t>(std::stoul(hex, nullptr, 16)) : 0);
            return decoded.size() == 1 && is_space(decoded[0]) ? 0 : decoded.size();
        }
        at_ += 2;
        if (kind == 'N' || kind == '_') return 2;  // U+0085, U+00A0
        if (kind == 'L' || kind == 'P') return 3;  // U+2028, U+2029
        return is_space(kind) || kind == 'n' || kind == 't' || kind == 'r' ? 0 : 1;
    }

    std::string_view file_;
    const SourceNode& node_;
    std::size_t at_;
    bool is_escaped_ = false;
};

}  // namespace

std::optional<SourceId> SourceTree::find(SourceId object, std::string_view key) const {
    const SourceNode& parent = nodes[object];
    if (parent.type != SourceNode::Type::Object) return std::nullopt;
    for (const auto& [name, child] : parent.children) {
        if (name == key) return child;
    }
    return std::nullopt;
}

std::vector<std::size_t> SourceTree::offsets(SourceId id) const {
    const SourceNode& text = node(id);
    if (text.writing == SourceNode::Writing::Json) return json_offsets(file, text);
    return YamlAligner(file, text).run();
}

SourceTree source_of_json(const json::Document& document) {
    SourceTree tree;
    tree.file = document.text();
    tree.nodes.resize(document.node_count());
    for (json::NodeId id = 0; id < tree.nodes.size(); ++id) {
        const json::Value value(document, id);
        SourceNode& node = tree.nodes[id];
        node.begin = value.node().begin;
        node.end = value.node().end;
        if (value.is(json::Type::List) || value.is(json::Type::Object)) {
            const bool is_list = value.is(json::Type::List);
            node.type = is_list ? SourceNode::Type::List : SourceNode::Type::Object;
            for (const json::Value child : value)
                node.children.emplace_back(child.key(), child.id());
            continue;
        }
        node.type =
            value.is(json::Type::String) ? SourceNode::Type::Text : SourceNode::Type::OtherScalar;
        node.text = value.text();
    }
    return tree;
}

LineIndex::LineIndex(std::string_view text) : size_(text.size()), starts_{0} {
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1))
        starts_.push_back(at + 1);
}

Range LineIndex::range(std::size_t begin, std::size_t end) const {
    const auto place = [&](std::size_t offset) {
        const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
        const auto line = static_cast<std::size_t>(after - starts_.begin());
        return std::pair(line, offset - starts_[line - 1] + 1);
    };
    const auto [line, column] = place(begin);
    const auto [end_line, end_column] = place(std::max(begin, end));
    return {line, column, end_line, end_column};
}

std::size_t LineIndex::offset(std::size_t line, std::size_t column) const {
    const std::size_t start = starts_[std::min(std::max<std::size_t>(line, 1), starts_.size()) - 1];
    return std::min(start + column - 1, size_);
}

}  // namespace hatchery::templates
