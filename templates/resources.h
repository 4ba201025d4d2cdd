// The Resources section -> programs of Template::Impl.
#pragma once

#include "templates/diagnostics.h"
#include "templates/functions.h"
#include "templates/program.h"
#include "templates/value_rules.h"

#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// Reports each member of `object` that is not among `known`.
void report_unknown_members(Report& report,
                            Finding finding,
                            json::Value object,
                            std::string_view expected,
                            std::span<const std::string_view> known);

/// Compiles resources into `out`; whatever is wrong goes to the report. All outlive this.
class ResourceCompiler {
  public:
    ResourceCompiler(Template::Impl& out,
                     const json::Document& document,
                     const std::vector<Parameter>& parameters,
                     FunctionCompiler& functions,
                     Report& report)
        : out_(out),
          document_(document),
          parameters_(parameters),
          functions_(functions),
          report_(report) {}

    /// @pre `section` is an object
    void compile(json::Value section);

  private:
    /// One key of OverrideSettings: both spellings, and whether MERGE is legal.
    struct OverrideKey {
        std::string_view property;
        std::string_view prose;
        bool merges;
        Override* target;
    };

    void resource(json::Value resource);
    void thing(json::Value resource, json::Value properties);
    void certificate(json::Value resource, json::Value properties);
    void policy(json::Value resource, json::Value properties);

    void thing_attributes(ThingProgram& program, json::Value payload);
    void thing_groups(ThingProgram& program, json::Value groups);
    void check_thing_name(const Expression& name, json::Value at);
    void certificate_source(CertificateProgram& program,
                            json::Value resource,
                            json::Value properties);
    void policy_document(PolicyProgram& program, json::Value value);
    void policy_text(PolicyProgram& program, json::Value value);
    void warn_of_everything(json::Value policy, json::Value at);
    void overrides(json::Value resource, std::initializer_list<OverrideKey> keys);
    void override_entry(json::Value entry, const OverrideKey& key);

    std::optional<Expression> expression(json::Value properties,
                                         std::string_view name,
                                         const ValueRule& rule);
    /// The same, as code.
    std::optional<CodeOffset> property(json::Value properties,
                                       std::string_view name,
                                       const ValueRule& rule) {
        return out_.append(expression(properties, name, rule));
    }
    void check(const ValueRule& rule, const Expression& expression);
    void illegal(json::NodeId node, std::string message, std::string_view text);

    Template::Impl& out_;
    const json::Document& document_;
    const std::vector<Parameter>& parameters_;
    FunctionCompiler& functions_;
    Report& report_;
    std::optional<json::NodeId> thing_node_;
    std::optional<json::NodeId> certificate_node_;
};

}  // namespace hatchery::templates
