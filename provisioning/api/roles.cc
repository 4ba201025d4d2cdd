#include "provisioning/api/roles.h"

#include "provisioning/api/routes.h"

#include <algorithm>
#include <array>

namespace hatchery::api {
namespace {

constexpr std::array<std::string_view, 4> kCaChanges{"RegisterCACertificate",
                                                     "UpdateCACertificate",
                                                     "DeleteCACertificate",
                                                     "DeleteRegistrationCode"};

constexpr std::array<std::string_view, 26> kFactoryOperations{"CreateKeysAndCertificate",
                                                              "CreateCertificateFromCsr",
                                                              "RegisterCertificate",
                                                              "RegisterCertificateWithoutCA",
                                                              "DescribeCertificate",
                                                              "UpdateCertificate",
                                                              "CreateThing",
                                                              "DescribeThing",
                                                              "UpdateThing",
                                                              "AttachThingPrincipal",
                                                              "DetachThingPrincipal",
                                                              "ListThingPrincipals",
                                                              "ListThingPrincipalsV2",
                                                              "ListPrincipalThings",
                                                              "ListPrincipalThingsV2",
                                                              "AttachPolicy",
                                                              "ListAttachedPolicies",
                                                              "AddThingToThingGroup",
                                                              "AddThingToBillingGroup",
                                                              "ListThingGroupsForThing",
                                                              "RegisterThing",
                                                              "CreateProvisioningClaim",
                                                              "StartThingRegistrationTask",
                                                              "DescribeThingRegistrationTask",
                                                              "ListThingRegistrationTaskReports",
                                                              "DescribeEndpoint"};

constexpr std::array<std::string_view, 12> kCiOperations{"TestAuthorization",
                                                         "GetEffectivePolicies",
                                                         "GetPolicy",
                                                         "GetPolicyVersion",
                                                         "ListPolicies",
                                                         "ListPolicyVersions",
                                                         "DescribeProvisioningTemplate",
                                                         "DescribeProvisioningTemplateVersion",
                                                         "ListProvisioningTemplates",
                                                         "ListProvisioningTemplateVersions",
                                                         "ListAttachedPolicies",
                                                         "DescribeEndpoint"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& operations, std::string_view operation) {
    return std::find(operations.begin(), operations.end(), operation) != operations.end();
}

}  // namespace

bool may_call(std::string_view role, std::string_view operation) {
    if (role == "admin") return true;
    if (role == "operator") return !is_one_of(kCaChanges, operation);
    if (role == "factory") return is_one_of(kFactoryOperations, operation);
    if (role == "read-only") return is_read_only(operation);
    if (role == "ci") return is_one_of(kCiOperations, operation);
    return false;
}

}  // namespace hatchery::api
