// A JSON or YAML file as one tree, with where each byte of a string was written: what is needed to
// find a template body in a file of another tool and to place its findings there.
#pragma once

#include "templates/json_document.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::templates {

using SourceId = std::uint32_t;

struct SourceNode {
    enum class Type : std::uint8_t { Text, OtherScalar, List, Object };
    /// How a text is written, which decides where its bytes stand.
    enum class Writing : std::uint8_t { Json, YamlPlain, YamlSingle, YamlDouble, YamlBlock };
    Type type = Type::OtherScalar;
    Writing writing = Writing::Json;
    std::string text;  ///< decoded; of scalars
    /// "Fn::Sub", "Ref" …: YAML's short form `!Sub text` around this value; else empty.
    std::string function;
    std::size_t begin = 0, end = 0;  ///< bytes of the file
    /// Of lists the keys are empty. YAML's aliases share children: there may be cycles.
    std::vector<std::pair<std::string, SourceId>> children;
};

struct SourceTree {
    std::string_view file;  ///< must outlive the tree
    std::vector<SourceNode> nodes;
    SourceId root = 0;

    const SourceNode& node(SourceId id) const { return nodes[id]; }
    /// The member of an object of that name.
    std::optional<SourceId> find(SourceId object, std::string_view key) const;
    /// For each byte of a text, and its end, where in the file it was written.
    std::vector<std::size_t> offsets(SourceId id) const;
};

SourceTree source_of_json(const json::Document& document);

struct YamlError {
    std::size_t offset = 0;
    std::string message;
};
/// The first document of `file`, YAML 1.1 as CloudFormation reads it.
tl::expected<SourceTree, YamlError> parse_yaml(std::string_view file);

/// Lines and columns of offsets into one text: made once, asked often.
class LineIndex {
  public:
    explicit LineIndex(std::string_view text);
    Range range(std::size_t begin, std::size_t end) const;
    /// The byte at a line and column of Range, within the text.
    std::size_t offset(std::size_t line, std::size_t column) const;

  private:
    std::size_t size_;
    std::vector<std::size_t> starts_;
};

}  // namespace hatchery::templates
