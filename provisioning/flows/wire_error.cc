#include "provisioning/flows/wire_error.h"

#include "provisioning/flows/plan.h"

namespace hatchery::flows {

namespace {

std::string_view code_of_invalid_request(std::string_view where) {
    if (where.starts_with("CSR")) return "InvalidCsr";
    if (where == "certificateOwnershipToken") return "InvalidCertificateOwnershipToken";
    if (where == "payload") return "InvalidPayload";
    return "InvalidParameters";
}

// Members of the request and CSR fields help whoever wrote the device. Pointers into the template
// are the operator's and stay in the log; AWS's wording has none either.
std::string message_of(const Error& error) {
    const bool helps = error.where.starts_with("/parameters") ||
                       error.where.starts_with("/certificate") || error.where.starts_with("CSR.");
    return helps ? to_string(error) : error.message;
}

Rejection internal_failure(const std::string& request_id) {
    return {500, "InternalFailure", "Internal failure, request " + request_id};
}

Rejection access_denied(const Error& error) {
    return {403,
            "AccessDenied",
            error.where == kHookMember ? "Refused by the pre-provisioning hook" : "Access denied"};
}

}  // namespace

Rejection rejection_of(const Error& error, const std::string& request_id) {
    switch (error.code) {
        case Code::InvalidRequest:
            return {400, std::string(code_of_invalid_request(error.where)), message_of(error)};
        case Code::MalformedPolicy:
        case Code::RegistrationCodeInvalid:
            return {400, "InvalidParameters", message_of(error)};
        case Code::Unauthenticated:
        case Code::Forbidden:
            return access_denied(error);
        case Code::NotFound:
            return {404, "ResourceNotFound", message_of(error)};
        case Code::AlreadyExists:
        case Code::Conflict:
        case Code::DeleteConflict:
        case Code::VersionConflict:
        case Code::LimitExceeded:
        case Code::VersionsLimitExceeded:
        case Code::CertificateState:
        case Code::CertificateConflict:
            return {409, "ResourceConflicts", message_of(error)};
        case Code::Throttled:
            return {429, "Throttling", message_of(error)};
        // In these flows only the issuing CA can be outside its validity: ours to mend.
        case Code::CertificateInvalid:
        case Code::NotImplemented:
        case Code::Unavailable:
        case Code::Internal:
            break;
    }
    return internal_failure(request_id);
}

}  // namespace hatchery::flows
