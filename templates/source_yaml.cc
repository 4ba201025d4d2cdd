// YAML -> SourceTree by libyaml, without expanding aliases: a file of a megabyte stays one.
#include "templates/source_tree.h"
#include "templates/text.h"

#include <yaml.h>

#include <algorithm>
#include <memory>

namespace hatchery::templates {

namespace {

/// libyaml compares each anchor with all before it. Real files have a handful.
constexpr std::size_t kMaxAmpersands = 20'000;

/// libyaml looks at every open collection again at each token.
constexpr std::size_t kMaxCollections = 200;

/// How many collections are open at most: brackets (those in texts count too, which are balanced in
/// real files), and "- - - x" or "? ? x" in a row.
std::size_t collection_depth(std::string_view file) {
    std::size_t depth = 0;
    std::size_t in_row = 0;
    std::size_t deepest = 0;
    for (std::size_t i = 0; i < file.size(); ++i) {
        const char c = file[i];
        if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
        if ((c == ']' || c == '}') && depth > 0) --depth;
        const bool is_blank = c == ' ' || c == '\t';
        const bool is_entry = (c == '-' || c == '?') && i + 1 < file.size() &&
                              (file[i + 1] == ' ' || file[i + 1] == '\t');
        if (is_entry) deepest = std::max(deepest, ++in_row);
        if (!is_entry && !is_blank) in_row = 0;
    }
    return deepest;
}

struct ParserDeleter {
    void operator()(yaml_parser_t* parser) const {
        yaml_parser_delete(parser);
        delete parser;
    }
};
struct DocumentDeleter {
    void operator()(yaml_document_t* document) const {
        yaml_document_delete(document);
        delete document;
    }
};

std::size_t bom_size(std::string_view text) {
    return text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
}

/// libyaml counts characters; findings want bytes. One entry a character, and the end.
std::vector<std::uint32_t> character_offsets(std::string_view text) {
    std::vector<std::uint32_t> offsets;
    offsets.reserve(text.size() + 1);
    std::size_t at = bom_size(text);  // not handed to libyaml, which would count it as a column
    while (at < text.size()) {
        offsets.push_back(static_cast<std::uint32_t>(at));
        at += std::max<std::size_t>(1, utf8_length(text.substr(at)));
    }
    offsets.push_back(static_cast<std::uint32_t>(text.size()));
    return offsets;
}

std::string string_of(const yaml_char_t* text, std::size_t size) {
    return {reinterpret_cast<const char*>(text), size};
}

/// `!Sub` is CloudFormation's short form of Fn::Sub, `!Ref` of Ref; `!!str` and others are YAML's.
std::string function_of_tag(const yaml_node_t& node) {
    const std::string_view tag = node.tag != nullptr ? reinterpret_cast<const char*>(node.tag) : "";
    if (tag.size() < 2 || tag[0] != '!' || tag[1] == '!') return {};
    const std::string name(tag.substr(1));
    return name == "Ref" || name == "Condition" ? name : "Fn::" + name;
}

class YamlConverter {
  public:
    YamlConverter(std::string_view file, yaml_document_t& document)
        : document_(document), offsets_(character_offsets(file)) {
        tree_.file = file;
    }

    SourceTree run() && {
        const yaml_node_t* root = yaml_document_get_root_node(&document_);
        const auto count = document_.nodes.top - document_.nodes.start;
        for (std::ptrdiff_t i = 0; i < count; ++i)
            tree_.nodes.push_back(convert(document_.nodes.start[i]));
        if (root == nullptr) {
            tree_.nodes.assign(1, {});
        } else {
            tree_.root = static_cast<SourceId>(root - document_.nodes.start);
        }
        return std::move(tree_);
    }

  private:
    std::size_t offset(const yaml_mark_t& mark) const {
        return offsets_[std::min(mark.index, offsets_.size() - 1)];
    }

    /// libyaml counts nodes from 1.
    static SourceId id_of(int index) { return static_cast<SourceId>(index - 1); }

    SourceNode convert(const yaml_node_t& from) const {
        SourceNode node;
        node.begin = offset(from.start_mark);
        node.end = offset(from.end_mark);
        node.function = function_of_tag(from);
        if (from.type == YAML_SCALAR_NODE) {
            scalar(node, from);
        } else if (from.type == YAML_SEQUENCE_NODE) {
            node.type = SourceNode::Type::List;
            const auto& items = from.data.sequence.items;
            for (const int* item = items.start; item != items.top; ++item)
                node.children.emplace_back("", id_of(*item));
        } else if (from.type == YAML_MAPPING_NODE) {
            node.type = SourceNode::Type::Object;
            const auto& pairs = from.data.mapping.pairs;
            for (const yaml_node_pair_t* pair = pairs.start; pair != pairs.top; ++pair)
                node.children.emplace_back(key(pair->key), id_of(pair->value));
        }
        return node;
    }

    void scalar(SourceNode& node, const yaml_node_t& from) const {
        node.text = string_of(from.data.scalar.value, from.data.scalar.length);
        switch (from.data.scalar.style) {
            case YAML_SINGLE_QUOTED_SCALAR_STYLE:
                node.writing = SourceNode::Writing::YamlSingle;
                break;
            case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
                node.writing = SourceNode::Writing::YamlDouble;
                break;
            case YAML_LITERAL_SCALAR_STYLE:
            case YAML_FOLDED_SCALAR_STYLE:
                node.writing = SourceNode::Writing::YamlBlock;
                break;
            default:
                node.writing = SourceNode::Writing::YamlPlain;
        }
        node.type = SourceNode::Type::Text;
    }

    std::string key(int index) const {
        const yaml_node_t& node = document_.nodes.start[index - 1];
        if (node.type != YAML_SCALAR_NODE) return {};
        return string_of(node.data.scalar.value, node.data.scalar.length);
    }

    yaml_document_t& document_;
    std::vector<std::uint32_t> offsets_;
    SourceTree tree_;
};

}  // namespace

tl::expected<SourceTree, YamlError> parse_yaml(std::string_view file) {
    if (static_cast<std::size_t>(std::count(file.begin(), file.end(), '&')) > kMaxAmpersands) {
        return tl::make_unexpected(YamlError{0, "more anchors than any file needs"});
    }
    if (collection_depth(file) > kMaxCollections) {
        return tl::make_unexpected(YamlError{0, "collections nested too deep"});
    }
    std::unique_ptr<yaml_parser_t, ParserDeleter> parser(new yaml_parser_t{});
    if (yaml_parser_initialize(parser.get()) == 0) {
        return tl::make_unexpected(YamlError{0, "no memory to read YAML"});
    }
    const std::string_view input = file.substr(bom_size(file));
    yaml_parser_set_input_string(
        parser.get(), reinterpret_cast<const unsigned char*>(input.data()), input.size());
    yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
    std::unique_ptr<yaml_document_t, DocumentDeleter> document(new yaml_document_t{});
    if (yaml_parser_load(parser.get(), document.get()) == 0) {
        YamlError error;
        error.message = parser->problem != nullptr ? parser->problem : "text that is no YAML";
        const auto offsets = character_offsets(file);
        const std::size_t at = parser->error == YAML_READER_ERROR ? parser->problem_offset
                                                                  : parser->problem_mark.index;
        error.offset = parser->error == YAML_READER_ERROR
                           ? std::min(at + bom_size(file), file.size())
                           : offsets[std::min(at, offsets.size() - 1)];
        return tl::make_unexpected(std::move(error));
    }
    return YamlConverter(file, *document).run();
}

}  // namespace hatchery::templates
