// A compiled template: what resolve runs.
#pragma once

#include "templates/evaluator.h"
#include "templates/expression.h"
#include "templates/template.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::templates {

/// Where an expression begins in the template's code.
enum class CodeOffset : std::uint32_t {};

struct ThingProgram {
    std::string logical_name;
    CodeOffset thing_name{};
    std::vector<std::pair<std::string, CodeOffset>> attributes;
    bool has_attributes = false;
    std::optional<CodeOffset> thing_type;
    std::optional<CodeOffset> thing_groups;  ///< a list
    std::optional<CodeOffset> billing_group;
    Override on_attributes = Override::Unset;
    Override on_thing_type = Override::Unset;
    Override on_thing_groups = Override::Unset;
};

struct CertificateProgram {
    std::string logical_name;
    std::optional<CodeOffset> certificate_id;
    std::optional<CodeOffset> certificate_signing_request;
    std::optional<CodeOffset> certificate_pem;
    std::optional<CodeOffset> ca_certificate_pem;
    std::optional<CodeOffset> status;
    std::optional<CodeOffset> thing_principal_type;
    Override on_status = Override::Unset;
};

struct PolicyProgram {
    std::string logical_name;
    std::optional<CodeOffset> policy_name;
    std::optional<CodeOffset> policy_document;
    bool is_document_normal = false;  ///< the document's text is compact JSON already
};

/// Bytes that a compiled template may keep.
inline constexpr std::size_t kMaxKept = 32'768;

class Template::Impl {
  public:
    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Parsed again, with the same node ids, when an error needs its place: a node is three times
    /// what it was written as.
    std::shared_ptr<const json::Document> parsed_again() const {
        auto parsed = json::Document::parse(text);
        if (!parsed) std::abort();  // it was parsed before
        return *std::move(parsed);
    }
    CodeReader at(CodeOffset offset) const {
        return CodeReader(std::string_view(code).substr(static_cast<std::size_t>(offset)));
    }
    CodeOffset append(const Expression& expression) {
        const auto offset = static_cast<CodeOffset>(code.size());
        append_code(code, expression);
        return offset;
    }
    std::optional<CodeOffset> append(const std::optional<Expression>& expression) {
        if (!expression) return std::nullopt;
        return append(*expression);
    }
    ParameterSlot slot(std::size_t index) const;
    void append_parameter(const Parameter& parameter);
    /// Drops what was reserved only.
    void shrink();
    /// About how many bytes it keeps.
    std::size_t memory() const;

    struct DeclaredParameter {
        CodeOffset name{};  ///< a text
        std::optional<CodeOffset> default_value;
        json::NodeId node = 0;
        bool is_declared = true;  ///< false: defined by the service
    };

    std::string text;
    std::string code;
    Kind kind = Kind::Claim;
    std::vector<DeclaredParameter> parameters;
    std::string mappings;  ///< a table
    std::optional<CertificateProgram> certificate;
    std::optional<ThingProgram> thing;
    std::vector<PolicyProgram> policies;
    std::string device_configuration;  ///< code: a text, an expression, and so on
};

}  // namespace hatchery::templates
