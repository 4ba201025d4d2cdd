#include "templates/program.h"

namespace hatchery::templates {

void Template::Impl::append_parameter(const Parameter& parameter) {
    DeclaredParameter out;
    out.name = static_cast<CodeOffset>(code.size());
    append_text(code, parameter.name);
    if (parameter.default_value) {
        out.default_value = static_cast<CodeOffset>(code.size());
        append_text(code, *parameter.default_value);
    }
    out.node = parameter.node;
    out.is_declared = parameter.is_declared;
    parameters.push_back(out);
}

ParameterSlot Template::Impl::slot(std::size_t index) const {
    const DeclaredParameter& parameter = parameters[index];
    ParameterSlot found{at(parameter.name).text(), std::nullopt};
    if (parameter.default_value) found.default_value = at(*parameter.default_value).text();
    return found;
}

void Template::Impl::shrink() {
    code.shrink_to_fit();
    parameters.shrink_to_fit();
    policies.shrink_to_fit();
    if (thing) thing->attributes.shrink_to_fit();
    device_configuration.shrink_to_fit();
}

std::size_t Template::Impl::memory() const {
    std::size_t size = sizeof *this + text.size() + code.size() + mappings.size() +
                       device_configuration.size() + parameters.size() * sizeof(DeclaredParameter);
    if (certificate) size += certificate->logical_name.size();
    for (const PolicyProgram& policy : policies)
        size += sizeof policy + policy.logical_name.size();
    if (!thing) return size;
    size += thing->logical_name.size();
    for (const auto& attribute : thing->attributes)
        size += sizeof attribute + attribute.first.size();
    return size;
}

}  // namespace hatchery::templates
