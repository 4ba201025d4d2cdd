#include "templates/embedded_body.h"

#include <algorithm>
#include <array>

namespace hatchery::templates {

namespace {

constexpr std::size_t kMaxBodyBytes = 262'144;
constexpr std::size_t kMaxBodyDepth = 16;

using Type = SourceNode::Type;

bool is_text(const SourceTree& tree, std::optional<SourceId> id, std::string_view text) {
    return id && tree.node(*id).type == Type::Text && tree.node(*id).function.empty() &&
           tree.node(*id).text == text;
}

std::string escaped(std::string_view key) {
    std::string out;
    for (const char c : key) {  // RFC 6901 section 3
        out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    }
    return out;
}

/// Is it false, or not there? A function may give true.
bool may_be_true(const SourceTree& tree, std::optional<SourceId> id) {
    if (!id) return false;
    const SourceNode& node = tree.node(*id);
    const bool is_scalar = node.type == Type::Text || node.type == Type::OtherScalar;
    return !is_scalar || !node.function.empty() || (node.text != "false" && node.text != "False");
}

class BodyFinder {
  public:
    explicit BodyFinder(const SourceTree& tree) : tree_(tree) {}

    EmbeddedBodies run() {
        const SourceId root = tree_.root;
        if (tree_.node(root).type != Type::Object) return {};
        const auto resources = tree_.find(root, "Resources");
        if (!resources) {
            input_document(root);
            return std::move(found_);
        }
        if (tree_.find(root, "AWSTemplateFormatVersion") || tree_.find(root, "Transform")) {
            found_.shape = FileShape::Container;
        }
        if (tree_.node(*resources).type != Type::Object) return std::move(found_);
        for (const auto& [name, resource] : tree_.node(*resources).children) {
            if (found_.bodies.size() >= kMaxBodies) break;
            stack_resource("/Resources/" + escaped(name) + "/Properties", resource);
        }
        return std::move(found_);
    }

  private:
    /// `aws iot … --cli-input-json` of each call that takes a body.
    void input_document(SourceId root) {
        if (const auto configuration = tree_.find(root, "registrationConfig")) {
            if (const auto body = tree_.find(*configuration, "templateBody")) {
                add({"/registrationConfig/templateBody", *body, Kind::Jitp, true, false, true, {}});
            }
            found_.shape = FileShape::Container;
            return;
        }
        const auto body = tree_.find(root, "templateBody");
        if (!body) return;
        EmbeddedBody out{"/templateBody", *body, {}, false, false, true, {}};
        const bool is_bulk = tree_.find(root, "inputFileBucket") || tree_.find(root, "parameters");
        if (is_bulk) out.kind = Kind::Bulk;
        out.makes_template = tree_.find(root, "provisioningRoleArn").has_value();
        out.is_enabled = !out.makes_template || may_be_true(tree_, tree_.find(root, "enabled"));
        type(out, tree_.find(root, "type"));
        out.type_place = root;
        add(std::move(out));
    }

    void stack_resource(const std::string& pointer, SourceId resource) {
        const auto type_name = tree_.find(resource, "Type");
        const auto properties = tree_.find(resource, "Properties");
        if (is_text(tree_, type_name, "AWS::IoT::CACertificate")) {
            found_.shape = FileShape::Container;
            const auto configuration =
                properties ? tree_.find(*properties, "RegistrationConfig") : std::nullopt;
            const auto body =
                configuration ? tree_.find(*configuration, "TemplateBody") : std::nullopt;
            if (!body) return;
            add({pointer + "/RegistrationConfig/TemplateBody",
                 *body,
                 Kind::Jitp,
                 true,
                 false,
                 true,
                 {}});
            return;
        }
        if (!is_text(tree_, type_name, "AWS::IoT::ProvisioningTemplate")) return;
        found_.shape = FileShape::Container;
        const auto body = properties ? tree_.find(*properties, "TemplateBody") : std::nullopt;
        if (!body) return;
        EmbeddedBody out{pointer + "/TemplateBody", *body, {}, false, true, true, {}};
        out.is_enabled = may_be_true(tree_, tree_.find(*properties, "Enabled"));
        type(out, tree_.find(*properties, "TemplateType"));
        out.type_place = type_name;
        add(std::move(out));
    }

    void type(EmbeddedBody& out, std::optional<SourceId> value) const {
        out.has_type = value.has_value();
        if (is_text(tree_, value, "JITP")) out.kind = Kind::Jitp;
        if (is_text(tree_, value, "FLEET_PROVISIONING")) out.kind = Kind::Claim;
    }

    void add(EmbeddedBody body) {
        found_.shape = FileShape::Container;
        found_.bodies.push_back(std::move(body));
    }

    const SourceTree& tree_;
    EmbeddedBodies found_;
};

/// CloudFormation's pseudo-parameters that have a usual value.
std::string_view value_of(std::string_view reference) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> known = {{
        {"AWS::Region", "us-east-1"},
        {"AWS::AccountId", "123456789012"},
        {"AWS::Partition", "aws"},
        {"AWS::URLSuffix", "amazonaws.com"},
    }};
    for (const auto& [name, value] : known) {
        if (name == reference) return value;
    }
    return kUnknownValue;
}

class BodyBuilder {
  public:
    explicit BodyBuilder(const SourceTree& tree) : tree_(tree) {}

    bool append(SourceId id, std::size_t depth) {
        if (depth > kMaxBodyDepth) return false;
        const SourceNode& node = tree_.node(id);
        if (!node.function.empty()) return call(node.function, id, true, depth);
        if (node.type == Type::Text) {
            append_text(node.text, tree_.offsets(id));
            return true;
        }
        if (node.type != Type::Object || node.children.size() != 1) return false;
        const auto& [function, argument] = node.children.front();
        if (function != "Ref" && !function.starts_with("Fn::")) return false;
        return call(function, argument, false, depth);
    }

    /// The outermost function that was not known.
    std::string unknown_function;
    BodyText out;

    void finish(std::size_t end) { out.offsets.push_back(end); }

  private:
    /// @param is_short  the tag stands at the argument itself
    bool call(const std::string& name, SourceId argument, bool is_short, std::size_t depth) {
        if (name == "Fn::Sub") return substitute(argument, is_short, depth);
        if (name == "Fn::Join") return join(argument, depth);
        if (depth == 0) {
            unknown_function = name;
            return false;
        }
        const SourceNode& node = tree_.node(argument);
        const bool is_reference = name == "Ref" && node.type == Type::Text;
        append_value(is_reference ? value_of(node.text) : kUnknownValue, node.begin);
        return true;
    }

    bool join(SourceId argument, std::size_t depth) {
        const SourceNode& node = tree_.node(argument);
        if (node.type != Type::List || node.children.size() != 2) return false;
        const SourceNode& delimiter = tree_.node(node.children[0].second);
        const SourceNode& parts = tree_.node(node.children[1].second);
        if (delimiter.type != Type::Text || parts.type != Type::List) return false;
        for (std::size_t i = 0; i < parts.children.size() && has_room(); ++i) {
            if (i > 0) append_value(delimiter.text, delimiter.begin);
            if (!append(parts.children[i].second, depth + 1)) return false;
        }
        return true;
    }

    bool substitute(SourceId argument, bool is_short, std::size_t depth) {
        const SourceNode& node = tree_.node(argument);
        if (node.type == Type::Text && (is_short || node.function.empty())) {
            substitute_text(argument, std::nullopt, depth);
            return true;
        }
        if (node.type != Type::List || node.children.size() != 2) return false;
        const SourceId pattern = node.children[0].second;
        if (tree_.node(pattern).type != Type::Text) return false;
        substitute_text(pattern, node.children[1].second, depth);
        return true;
    }

    void substitute_text(SourceId pattern, std::optional<SourceId> values, std::size_t depth) {
        const std::string_view text = tree_.node(pattern).text;
        const auto offsets = tree_.offsets(pattern);
        std::size_t at = 0;
        while (at < text.size() && has_room()) {
            const std::size_t start = std::min(text.find("${", at), text.size());
            const std::size_t end = text.find('}', start);
            if (end == std::string_view::npos) {
                append_range(text, offsets, at, text.size());
                return;
            }
            append_range(text, offsets, at, start);
            at = end + 1;
            const std::string_view name = text.substr(start + 2, end - start - 2);
            if (name.starts_with('!')) {  // ${!name} stands for the text ${name}
                append_range(text, offsets, start, start + 2);
                append_range(text, offsets, start + 3, at);
                continue;
            }
            append_placeholder(name, values, offsets[start], depth);
        }
    }

    void append_placeholder(std::string_view name,
                            std::optional<SourceId> values,
                            std::size_t offset,
                            std::size_t depth) {
        const auto given = values ? tree_.find(*values, name) : std::nullopt;
        if (!given) return append_value(value_of(name), offset);
        BodyBuilder inner(tree_);
        if (!inner.append(*given, depth + 1)) return append_value(kUnknownValue, offset);
        append_value(inner.out.text, offset);
    }

    bool has_room() const { return out.text.size() <= kMaxBodyBytes; }

    void append_range(std::string_view text,
                      const std::vector<std::size_t>& offsets,
                      std::size_t begin,
                      std::size_t end) {
        out.text += text.substr(begin, end - begin);
        for (std::size_t i = begin; i < end; ++i)
            out.offsets.push_back(offsets[i]);
    }

    void append_text(std::string_view text, const std::vector<std::size_t>& offsets) {
        append_range(text, offsets, 0, text.size());
    }

    void append_value(std::string_view value, std::size_t offset) {
        out.text += value;
        out.offsets.insert(out.offsets.end(), value.size(), offset);
    }

    const SourceTree& tree_;
};

}  // namespace

EmbeddedBodies find_bodies(const SourceTree& tree) {
    return BodyFinder(tree).run();
}

std::optional<BodyText> body_text(const SourceTree& tree, SourceId id, std::string& function) {
    BodyBuilder builder(tree);
    if (!builder.append(id, 0)) {
        function = builder.unknown_function;
        return std::nullopt;
    }
    const SourceNode& node = tree.node(id);
    const bool is_plain = node.type == SourceNode::Type::Text;
    builder.finish(is_plain ? tree.offsets(id).back() : node.end);
    return std::move(builder.out);
}

}  // namespace hatchery::templates
