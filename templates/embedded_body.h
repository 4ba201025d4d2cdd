// Template bodies inside the files of other tools: CloudFormation (JSON and YAML, with its
// functions), input documents of the AWS CLI.
#pragma once

#include "templates/source_tree.h"
#include "templates/template.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// What stands for a value that is known only when a stack is deployed; legal wherever a name is.
inline constexpr std::string_view kUnknownValue = "UnknownUntilDeployed";

struct EmbeddedBody {
    std::string pointer;  ///< RFC 6901, in the file
    SourceId node = 0;
    std::optional<Kind> kind;            ///< what the file says that it is
    bool has_type = false;               ///< the file states a type
    bool makes_template = false;         ///< it creates a provisioning template
    bool is_enabled = false;             ///< "enabled": true, or not known here
    std::optional<SourceId> type_place;  ///< where a type or enabled would be said
};

enum class FileShape { Bare, Container };
struct EmbeddedBodies {
    FileShape shape = FileShape::Bare;  ///< Container: a file of another tool, maybe without bodies
    std::vector<EmbeddedBody> bodies;
};
/// Bodies kept at most a file.
inline constexpr std::size_t kMaxBodies = 100;
EmbeddedBodies find_bodies(const SourceTree& tree);

/// The text that a body will be, and where each byte of it (and its end) was written.
struct BodyText {
    std::string text;
    std::vector<std::size_t> offsets;
};
/// Applies Fn::Sub and Fn::Join. Nothing when the value is no text, or not known before deployment;
/// then `function` says which function gives it (empty: it is no text at all).
std::optional<BodyText> body_text(const SourceTree& tree, SourceId id, std::string& function);

}  // namespace hatchery::templates
