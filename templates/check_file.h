// Finds the template bodies in a file and checks them, with findings placed in the file: what
// `hatchery template validate` runs. Pure: the caller reads the file.
#pragma once

#include "templates/references.h"
#include "templates/template.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::templates {

/// One template body of a file. Ranges are those of the file, also inside a string in it; pointers
/// are those of the body.
struct BodyFindings {
    std::string pointer;      ///< of the body in the file; "" for a bare template
    Kind kind = Kind::Claim;  ///< what the body was checked as
    std::vector<Diagnostic> diagnostics;
    std::optional<Template> value;      ///< set when no diagnostic is an error
    std::vector<Reference> references;  ///< of `value`; values known at deployment only left out
    std::vector<PolicyText> policies;   ///< of `value`, likewise
};

struct FileFindings {
    std::vector<BodyFindings> bodies;  ///< none: the file of another tool, without any template
    /// The findings of all bodies, in their order.
    std::vector<Diagnostic> diagnostics() const;
};

enum class Syntax { Guess, Yaml };

/// Compiles the templates in `text`: a bare one, the `templateBody` of an input document of the AWS
/// CLI, or those of a CloudFormation template (AWS::IoT::ProvisioningTemplate, and
/// RegistrationConfig of AWS::IoT::CACertificate) in JSON or YAML, whose Fn::Sub and Fn::Join are
/// applied. Without `kind`: the type that the file states; else Bulk for a certificate that is made
/// from a CSR or a PEM, Jitp when every parameter comes from the certificate, Claim otherwise.
/// @param syntax  Yaml: its name says that it is YAML
FileFindings check_file(std::string_view text,
                        std::optional<Kind> kind,
                        Syntax syntax = Syntax::Guess);

}  // namespace hatchery::templates
