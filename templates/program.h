// A compiled template: what resolve runs.
#pragma once

#include "templates/expression.h"
#include "templates/template.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hatchery::templates {

struct ThingProgram {
    std::string logical_name;
    json::NodeId node = 0;
    Expression thing_name;
    std::vector<std::pair<std::string, Expression>> attributes;
    bool has_attributes = false;
    std::optional<Expression> thing_type;
    std::optional<Expression> thing_groups;  ///< a list
    std::optional<Expression> billing_group;
    Override on_attributes = Override::Unset;
    Override on_thing_type = Override::Unset;
    Override on_thing_groups = Override::Unset;
};

struct CertificateProgram {
    std::string logical_name;
    std::optional<Expression> certificate_id;
    std::optional<Expression> certificate_signing_request;
    std::optional<Expression> certificate_pem;
    std::optional<Expression> ca_certificate_pem;
    std::optional<Expression> status;
    std::optional<Expression> thing_principal_type;
    Override on_status = Override::Unset;
};

struct PolicyProgram {
    std::string logical_name;
    std::optional<Expression> policy_name;
    std::optional<Expression> policy_document;
    bool is_document_normal = false;  ///< the document's text is compact JSON already
};

class Template::Impl {
  public:
    explicit Impl(std::shared_ptr<const json::Document> parsed) : document(std::move(parsed)) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// While it is compiled only: a node is three times what it was written as.
    std::shared_ptr<const json::Document> document;
    /// From then on; parsed again, with the same node ids, when an error needs its place.
    std::string text;
    std::shared_ptr<const json::Document> parsed_again() const {
        auto parsed = json::Document::parse(text);
        if (!parsed) std::abort();  // it was parsed before
        return *std::move(parsed);
    }

    Kind kind = Kind::Claim;
    std::vector<Parameter> parameters;
    Mappings mappings;
    std::optional<CertificateProgram> certificate;
    std::optional<ThingProgram> thing;
    std::vector<PolicyProgram> policies;
    std::vector<std::pair<std::string, Expression>> device_configuration;
};

}  // namespace hatchery::templates
