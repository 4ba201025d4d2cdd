// Finds the template body in a file and checks it, with findings placed in the file: what
// `hatchery template validate` runs. Pure: the caller reads the file.
#pragma once

#include "templates/template.h"

#include <optional>
#include <string_view>
#include <vector>

namespace hatchery::templates {

struct FileFindings {
    Kind kind = Kind::Claim;  ///< what the body was checked as
    std::vector<Diagnostic> diagnostics;
};

/// Compiles the template in `text`: a bare one, or the `templateBody` of an input document of
/// `aws iot create-provisioning-template`. Ranges are those of the file, also inside a templateBody
/// string. Without `kind`: the document's "type"; else Bulk for a certificate that is made from a
/// CSR or a PEM, Jitp when every parameter comes from the certificate, Claim otherwise.
FileFindings check_file(std::string_view text, std::optional<Kind> kind);

}  // namespace hatchery::templates
