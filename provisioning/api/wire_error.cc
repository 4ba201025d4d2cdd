#include "provisioning/api/wire_error.h"

#include "provisioning/api/sigv4.h"
#include "provisioning/topic_rules/rule.h"

#include <nlohmann/json.hpp>

namespace hatchery::api {
namespace {

struct Form {
    int status;
    std::string_view exception;
};

Form unauthenticated(const Error& error) {
    if (error.where == kNoSignature) return {403, "MissingAuthenticationTokenException"};
    if (error.where == kUnknownKey) return {403, "UnrecognizedClientException"};
    return {403, "InvalidSignatureException"};
}

/// Where an operation names an error otherwise than the others do, or does not declare it at all
/// (then it is an InvalidRequestException): the service model's `errors` of each operation.
struct OperationForm {
    std::string_view operation;
    Code code;
    Form form;
};
constexpr Form kInvalidRequest{400, "InvalidRequestException"};
constexpr Form kRegistrationFailed{400, "ResourceRegistrationFailureException"};
constexpr Form kTransferOver{410, "TransferAlreadyCompletedException"};
constexpr Form kNoSuchRule{401, "UnauthorizedException"};
constexpr Form kInvalidTransition{409, "InvalidStateTransitionException"};
constexpr OperationForm kOperationForms[] = {
    {"GetTopicRule", Code::NotFound, kNoSuchRule},
    {"ReplaceTopicRule", Code::NotFound, kNoSuchRule},
    {"DeleteTopicRule", Code::NotFound, kNoSuchRule},
    {"EnableTopicRule", Code::NotFound, kNoSuchRule},
    {"DisableTopicRule", Code::NotFound, kNoSuchRule},
    {"RegisterThing", Code::NotFound, kRegistrationFailed},
    {"RegisterThing", Code::LimitExceeded, kRegistrationFailed},
    {"RegisterThing", Code::AlreadyExists, kRegistrationFailed},
    {"StartThingRegistrationTask", Code::LimitExceeded, kInvalidRequest},
    {"ListThingRegistrationTaskReports", Code::NotFound, kInvalidRequest},
    {"TransferCertificate", Code::Conflict, {409, "TransferConflictException"}},
    {"AcceptCertificateTransfer", Code::Conflict, kTransferOver},
    {"RejectCertificateTransfer", Code::Conflict, kTransferOver},
    {"CancelCertificateTransfer", Code::Conflict, kTransferOver},
    {"CreateThingGroup", Code::NotFound, kInvalidRequest},
    {"CreateThingGroup", Code::LimitExceeded, kInvalidRequest},
    {"AddThingToThingGroup", Code::LimitExceeded, kInvalidRequest},
    {"UpdateThingGroupsForThing", Code::LimitExceeded, kInvalidRequest},
    {"AttachThingPrincipal", Code::Conflict, kInvalidRequest},
    {"DetachPolicy", Code::NotFound, kInvalidRequest},
    {"DeleteJob", Code::Conflict, kInvalidTransition},
    {"CancelJobExecution", Code::Conflict, kInvalidTransition},
    {"DeleteJobExecution", Code::Conflict, kInvalidTransition},
    {"UpdateJobExecution", Code::Conflict, kInvalidTransition},
    {"UpdateJobExecution", Code::VersionConflict, kInvalidTransition},
    {"DescribeJobExecution", Code::LimitExceeded, {410, "TerminalStateException"}},
};
constexpr Form kInvalidQuery{400, "InvalidQueryException"};
constexpr Form kSqlWrong{400, "SqlParseException"};

const Form* operation_form(const Error& error, std::string_view operation) {
    if (operation == "SearchIndex" && error.where == "queryString") return &kInvalidQuery;
    const bool states_rule = operation == "CreateTopicRule" || operation == "ReplaceTopicRule";
    if (states_rule && error.where.starts_with(topic_rules::kSqlPointer)) return &kSqlWrong;
    for (const auto& one : kOperationForms) {
        if (one.operation == operation && one.code == error.code) return &one.form;
    }
    return nullptr;
}

Form form_of(const Error& error) {
    switch (error.code) {
        case Code::InvalidRequest:
            return {400, "InvalidRequestException"};
        case Code::Unauthenticated:
            return unauthenticated(error);
        case Code::Forbidden:
            return {403, "AccessDeniedException"};
        case Code::NotFound:
            return {404, "ResourceNotFoundException"};
        case Code::AlreadyExists:
            return {409, "ResourceAlreadyExistsException"};
        case Code::Conflict:
            return {409, "ConflictingResourceUpdateException"};
        case Code::DeleteConflict:
            return {409, "DeleteConflictException"};
        case Code::LimitExceeded:
            return {410, "LimitExceededException"};
        case Code::VersionsLimitExceeded:
            return {409, "VersionsLimitExceededException"};
        case Code::VersionConflict:
            return {409, "VersionConflictException"};
        case Code::CertificateInvalid:
            return {400, "CertificateValidationException"};
        case Code::CertificateState:
            return {406, "CertificateStateException"};
        case Code::CertificateConflict:
            return {409, "CertificateConflictException"};
        case Code::RegistrationCodeInvalid:
            return {400, "RegistrationCodeValidationException"};
        case Code::MalformedPolicy:
            return {400, "MalformedPolicyException"};
        case Code::Throttled:
            return {400, "ThrottlingException"};
        case Code::NotImplemented:
            return {501, "NotImplementedException"};
        case Code::Unavailable:
            return {503, "ServiceUnavailableException"};
        case Code::Internal:
            break;
    }
    return {500, "InternalFailureException"};
}

std::string message_of(const Error& error) {
    if (error.code == Code::Internal) return "Internal failure";
    if (error.code == Code::Unauthenticated || error.where.empty()) return error.message;
    return error.message + " (at " + error.where + ")";
}

std::string dump(const nlohmann::json& body) {
    // A message may quote what a client sent: replace what is no UTF-8 instead of throwing.
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

WireError to_wire(const Error& error, std::string_view operation) {
    const Form* own = operation_form(error, operation);
    const Form form = own != nullptr ? *own : form_of(error);
    nlohmann::json body = {{"message", message_of(error)}};
    if (error.code == Code::AlreadyExists && !error.resource.empty()) {
        body["resourceArn"] = error.resource;
        body["resourceId"] = error.resource.substr(error.resource.find('/') + 1);
    }
    return {form.status, std::string(form.exception), dump(body)};
}

WireError unknown_operation(std::string_view method, std::string_view path) {
    const nlohmann::json body = {
        {"message", "No operation answers " + std::string(method) + " " + std::string(path)}};
    return {404, "UnknownOperationException", dump(body)};
}

WireError http_error(int status) {
    std::string_view message = "Bad request";
    if (status == 411) message = "Expected a Content-Length header instead of Transfer-Encoding";
    if (status == 413) message = "Expected a request body of at most 1 MiB";
    if (status == 414) message = "Expected a request target of at most 8192 bytes";
    if (status == 404) message = "No operation answers this method";
    const nlohmann::json body = {{"message", message}};
    const std::string_view exception =
        status == 404 ? "UnknownOperationException" : "InvalidRequestException";
    return {status, std::string(exception), dump(body)};
}

}  // namespace hatchery::api
