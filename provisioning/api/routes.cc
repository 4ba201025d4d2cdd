#include "provisioning/api/routes.h"

#include "provisioning/api/operations.h"

#include <algorithm>

namespace hatchery::api {
namespace {

constexpr Route kRoutes[] = {
    // CA certificates & registration code
    {"GET", "/registrationcode", "GetRegistrationCode", cas::get_registration_code},
    {"DELETE", "/registrationcode", "DeleteRegistrationCode", cas::delete_registration_code},
    {"POST", "/cacertificate", "RegisterCACertificate", cas::register_ca_certificate},
    {"GET",
     "/cacertificate/{caCertificateId}",
     "DescribeCACertificate",
     cas::describe_ca_certificate},
    {"PUT", "/cacertificate/{caCertificateId}", "UpdateCACertificate", cas::update_ca_certificate},
    {"DELETE",
     "/cacertificate/{caCertificateId}",
     "DeleteCACertificate",
     cas::delete_ca_certificate},
    {"GET", "/cacertificates", "ListCACertificates", cas::list_ca_certificates},
    {"GET",
     "/certificates-by-ca/{caCertificateId}",
     "ListCertificatesByCA",
     certificates::list_certificates_by_ca},
    // Device certificates
    {"POST",
     "/keys-and-certificate",
     "CreateKeysAndCertificate",
     certificates::create_keys_and_certificate},
    {"POST",
     "/certificates",
     "CreateCertificateFromCsr",
     certificates::create_certificate_from_csr},
    {"POST", "/certificate/register", "RegisterCertificate", certificates::register_certificate},
    {"POST",
     "/certificate/register-no-ca",
     "RegisterCertificateWithoutCA",
     certificates::register_certificate_without_ca},
    {"GET",
     "/certificates/{certificateId}",
     "DescribeCertificate",
     certificates::describe_certificate},
    {"PUT", "/certificates/{certificateId}", "UpdateCertificate", certificates::update_certificate},
    {"DELETE",
     "/certificates/{certificateId}",
     "DeleteCertificate",
     certificates::delete_certificate},
    {"GET", "/certificates", "ListCertificates", certificates::list_certificates},
    {"POST", "/certificate-providers/{certificateProviderName}", "CreateCertificateProvider"},
    {"GET", "/certificate-providers/{certificateProviderName}", "DescribeCertificateProvider"},
    {"PUT", "/certificate-providers/{certificateProviderName}", "UpdateCertificateProvider"},
    {"DELETE", "/certificate-providers/{certificateProviderName}", "DeleteCertificateProvider"},
    {"GET", "/certificate-providers/", "ListCertificateProviders"},
    // Certificate transfer
    {"PATCH", "/transfer-certificate/{certificateId}", "TransferCertificate"},
    {"PATCH", "/accept-certificate-transfer/{certificateId}", "AcceptCertificateTransfer"},
    {"PATCH", "/reject-certificate-transfer/{certificateId}", "RejectCertificateTransfer"},
    {"PATCH", "/cancel-certificate-transfer/{certificateId}", "CancelCertificateTransfer"},
    {"GET", "/certificates-out-going", "ListOutgoingCertificates"},
    // Things & principals
    {"POST", "/things/{thingName}", "CreateThing", things::create_thing},
    {"GET", "/things/{thingName}", "DescribeThing", things::describe_thing},
    {"PATCH", "/things/{thingName}", "UpdateThing", things::update_thing},
    {"DELETE", "/things/{thingName}", "DeleteThing", things::delete_thing},
    {"GET", "/things", "ListThings", things::list_things},
    {"PUT",
     "/things/{thingName}/principals",
     "AttachThingPrincipal",
     things::attach_thing_principal},
    {"DELETE",
     "/things/{thingName}/principals",
     "DetachThingPrincipal",
     things::detach_thing_principal},
    {"GET", "/things/{thingName}/principals", "ListThingPrincipals", things::list_thing_principals},
    {"GET",
     "/things/{thingName}/principals-v2",
     "ListThingPrincipalsV2",
     things::list_thing_principals_v2},
    {"GET", "/principals/things", "ListPrincipalThings", things::list_principal_things},
    {"GET", "/principals/things-v2", "ListPrincipalThingsV2", things::list_principal_things_v2},
    {"POST", "/things/{thingName}/connectivity-data", "GetThingConnectivityData"},
    // Thing types
    {"POST", "/thing-types/{thingTypeName}", "CreateThingType", thing_types::create_thing_type},
    {"GET", "/thing-types/{thingTypeName}", "DescribeThingType", thing_types::describe_thing_type},
    {"PATCH", "/thing-types/{thingTypeName}", "UpdateThingType"},
    {"POST",
     "/thing-types/{thingTypeName}/deprecate",
     "DeprecateThingType",
     thing_types::deprecate_thing_type},
    {"DELETE", "/thing-types/{thingTypeName}", "DeleteThingType", thing_types::delete_thing_type},
    {"GET", "/thing-types", "ListThingTypes", thing_types::list_thing_types},
    // Thing groups
    {"POST",
     "/thing-groups/{thingGroupName}",
     "CreateThingGroup",
     thing_groups::create_thing_group},
    {"GET",
     "/thing-groups/{thingGroupName}",
     "DescribeThingGroup",
     thing_groups::describe_thing_group},
    {"PATCH", "/thing-groups/{thingGroupName}", "UpdateThingGroup"},
    {"DELETE",
     "/thing-groups/{thingGroupName}",
     "DeleteThingGroup",
     thing_groups::delete_thing_group},
    {"GET", "/thing-groups", "ListThingGroups", thing_groups::list_thing_groups},
    {"PUT",
     "/thing-groups/addThingToThingGroup",
     "AddThingToThingGroup",
     thing_groups::add_thing_to_thing_group},
    {"PUT",
     "/thing-groups/removeThingFromThingGroup",
     "RemoveThingFromThingGroup",
     thing_groups::remove_thing_from_thing_group},
    {"PUT",
     "/thing-groups/updateThingGroupsForThing",
     "UpdateThingGroupsForThing",
     thing_groups::update_thing_groups_for_thing},
    {"GET",
     "/things/{thingName}/thing-groups",
     "ListThingGroupsForThing",
     thing_groups::list_thing_groups_for_thing},
    {"GET",
     "/thing-groups/{thingGroupName}/things",
     "ListThingsInThingGroup",
     thing_groups::list_things_in_thing_group},
    {"POST", "/dynamic-thing-groups/{thingGroupName}", "CreateDynamicThingGroup"},
    {"PATCH", "/dynamic-thing-groups/{thingGroupName}", "UpdateDynamicThingGroup"},
    {"DELETE", "/dynamic-thing-groups/{thingGroupName}", "DeleteDynamicThingGroup"},
    // Billing groups
    {"POST",
     "/billing-groups/{billingGroupName}",
     "CreateBillingGroup",
     billing_groups::create_billing_group},
    {"GET",
     "/billing-groups/{billingGroupName}",
     "DescribeBillingGroup",
     billing_groups::describe_billing_group},
    {"PATCH", "/billing-groups/{billingGroupName}", "UpdateBillingGroup"},
    {"DELETE",
     "/billing-groups/{billingGroupName}",
     "DeleteBillingGroup",
     billing_groups::delete_billing_group},
    {"GET", "/billing-groups", "ListBillingGroups", billing_groups::list_billing_groups},
    {"PUT",
     "/billing-groups/addThingToBillingGroup",
     "AddThingToBillingGroup",
     billing_groups::add_thing_to_billing_group},
    {"PUT",
     "/billing-groups/removeThingFromBillingGroup",
     "RemoveThingFromBillingGroup",
     billing_groups::remove_thing_from_billing_group},
    {"GET",
     "/billing-groups/{billingGroupName}/things",
     "ListThingsInBillingGroup",
     billing_groups::list_things_in_billing_group},
    // Policies
    {"POST", "/policies/{policyName}", "CreatePolicy", policies::create_policy},
    {"GET", "/policies/{policyName}", "GetPolicy", policies::get_policy},
    {"DELETE", "/policies/{policyName}", "DeletePolicy", policies::delete_policy},
    {"GET", "/policies", "ListPolicies", policies::list_policies},
    {"POST",
     "/policies/{policyName}/version",
     "CreatePolicyVersion",
     policies::create_policy_version},
    {"GET",
     "/policies/{policyName}/version/{policyVersionId}",
     "GetPolicyVersion",
     policies::get_policy_version},
    {"GET", "/policies/{policyName}/version", "ListPolicyVersions", policies::list_policy_versions},
    {"DELETE",
     "/policies/{policyName}/version/{policyVersionId}",
     "DeletePolicyVersion",
     policies::delete_policy_version},
    {"PATCH",
     "/policies/{policyName}/version/{policyVersionId}",
     "SetDefaultPolicyVersion",
     policies::set_default_policy_version},
    {"PUT", "/target-policies/{policyName}", "AttachPolicy", policies::attach_policy},
    {"POST", "/target-policies/{policyName}", "DetachPolicy", policies::detach_policy},
    {"POST",
     "/attached-policies/{target}",
     "ListAttachedPolicies",
     policies::list_attached_policies},
    {"POST",
     "/policy-targets/{policyName}",
     "ListTargetsForPolicy",
     policies::list_targets_for_policy},
    {"PUT",
     "/principal-policies/{policyName}",
     "AttachPrincipalPolicy",
     policies::attach_principal_policy},
    {"DELETE",
     "/principal-policies/{policyName}",
     "DetachPrincipalPolicy",
     policies::detach_principal_policy},
    {"GET", "/principal-policies", "ListPrincipalPolicies", policies::list_principal_policies},
    {"GET", "/policy-principals", "ListPolicyPrincipals", policies::list_policy_principals},
    {"POST", "/test-authorization", "TestAuthorization"},
    {"POST", "/effective-policies", "GetEffectivePolicies"},
    // Provisioning templates, claims, RegisterThing, bulk
    {"POST",
     "/provisioning-templates",
     "CreateProvisioningTemplate",
     provisioning::create_provisioning_template},
    {"GET",
     "/provisioning-templates/{templateName}",
     "DescribeProvisioningTemplate",
     provisioning::describe_provisioning_template},
    {"PATCH",
     "/provisioning-templates/{templateName}",
     "UpdateProvisioningTemplate",
     provisioning::update_provisioning_template},
    {"DELETE",
     "/provisioning-templates/{templateName}",
     "DeleteProvisioningTemplate",
     provisioning::delete_provisioning_template},
    {"GET",
     "/provisioning-templates",
     "ListProvisioningTemplates",
     provisioning::list_provisioning_templates},
    {"POST",
     "/provisioning-templates/{templateName}/versions",
     "CreateProvisioningTemplateVersion",
     provisioning::create_provisioning_template_version},
    {"GET",
     "/provisioning-templates/{templateName}/versions/{versionId}",
     "DescribeProvisioningTemplateVersion",
     provisioning::describe_provisioning_template_version},
    {"DELETE",
     "/provisioning-templates/{templateName}/versions/{versionId}",
     "DeleteProvisioningTemplateVersion",
     provisioning::delete_provisioning_template_version},
    {"GET",
     "/provisioning-templates/{templateName}/versions",
     "ListProvisioningTemplateVersions",
     provisioning::list_provisioning_template_versions},
    {"POST",
     "/provisioning-templates/{templateName}/provisioning-claim",
     "CreateProvisioningClaim"},
    {"POST", "/things", "RegisterThing", provisioning::register_thing},
    {"POST", "/thing-registration-tasks", "StartThingRegistrationTask"},
    {"GET", "/thing-registration-tasks/{taskId}", "DescribeThingRegistrationTask"},
    {"PUT", "/thing-registration-tasks/{taskId}/cancel", "StopThingRegistrationTask"},
    {"GET", "/thing-registration-tasks", "ListThingRegistrationTasks"},
    {"GET", "/thing-registration-tasks/{taskId}/reports", "ListThingRegistrationTaskReports"},
    // Endpoint, events, tags, logging
    {"GET", "/endpoint", "DescribeEndpoint", provisioning::describe_endpoint},
    {"GET", "/event-configurations", "DescribeEventConfigurations"},
    {"PATCH", "/event-configurations", "UpdateEventConfigurations"},
    {"POST", "/tags", "TagResource"},
    {"POST", "/untag", "UntagResource"},
    {"GET", "/tags", "ListTagsForResource"},
    {"GET", "/loggingOptions", "GetLoggingOptions"},
    {"POST", "/loggingOptions", "SetLoggingOptions"},
    {"GET", "/v2LoggingOptions", "GetV2LoggingOptions"},
    {"POST", "/v2LoggingOptions", "SetV2LoggingOptions"},
    {"GET", "/indexing/config", "GetIndexingConfiguration"},
    {"POST", "/indexing/config", "UpdateIndexingConfiguration"},
    {"POST", "/indices/search", "SearchIndex"},
    {"GET", "/indices/{indexName}", "DescribeIndex"},
    {"GET", "/indices", "ListIndices"},
    {"POST", "/indices/statistics", "GetStatistics"},
    // Role aliases
    {"POST", "/role-aliases/{roleAlias}", "CreateRoleAlias"},
    {"GET", "/role-aliases/{roleAlias}", "DescribeRoleAlias"},
    {"PUT", "/role-aliases/{roleAlias}", "UpdateRoleAlias"},
    {"DELETE", "/role-aliases/{roleAlias}", "DeleteRoleAlias"},
    {"GET", "/role-aliases", "ListRoleAliases"},
    // Jobs (control plane)
    {"PUT", "/jobs/{jobId}", "CreateJob"},
    {"GET", "/jobs/{jobId}", "DescribeJob"},
    {"PATCH", "/jobs/{jobId}", "UpdateJob"},
    {"PUT", "/jobs/{jobId}/cancel", "CancelJob"},
    {"DELETE", "/jobs/{jobId}", "DeleteJob"},
    {"GET", "/jobs", "ListJobs"},
    {"GET", "/jobs/{jobId}/job-document", "GetJobDocument"},
    {"POST", "/jobs/{jobId}/targets", "AssociateTargetsWithJob"},
    {"GET", "/things/{thingName}/jobs/{jobId}", "DescribeJobExecution"},
    {"PUT", "/things/{thingName}/jobs/{jobId}/cancel", "CancelJobExecution"},
    {"DELETE",
     "/things/{thingName}/jobs/{jobId}/executionNumber/{executionNumber}",
     "DeleteJobExecution"},
    {"GET", "/jobs/{jobId}/things", "ListJobExecutionsForJob"},
    {"GET", "/things/{thingName}/jobs", "ListJobExecutionsForThing"},
    // Audit
    {"PATCH", "/audit/configuration", "UpdateAccountAuditConfiguration"},
    {"GET", "/audit/configuration", "DescribeAccountAuditConfiguration"},
    {"DELETE", "/audit/configuration", "DeleteAccountAuditConfiguration"},
    {"POST", "/audit/tasks", "StartOnDemandAuditTask"},
    {"GET", "/audit/tasks/{taskId}", "DescribeAuditTask"},
    {"PUT", "/audit/tasks/{taskId}/cancel", "CancelAuditTask"},
    {"GET", "/audit/tasks", "ListAuditTasks"},
    {"POST", "/audit/findings", "ListAuditFindings"},
    {"GET", "/audit/findings/{findingId}", "DescribeAuditFinding"},
    {"POST", "/audit/suppressions/create", "CreateAuditSuppression"},
    {"POST", "/audit/suppressions/describe", "DescribeAuditSuppression"},
    {"PATCH", "/audit/suppressions/update", "UpdateAuditSuppression"},
    {"POST", "/audit/suppressions/delete", "DeleteAuditSuppression"},
    {"POST", "/audit/suppressions/list", "ListAuditSuppressions"},
    {"POST", "/audit/scheduledaudits/{scheduledAuditName}", "CreateScheduledAudit"},
    {"GET", "/audit/scheduledaudits/{scheduledAuditName}", "DescribeScheduledAudit"},
    {"PATCH", "/audit/scheduledaudits/{scheduledAuditName}", "UpdateScheduledAudit"},
    {"DELETE", "/audit/scheduledaudits/{scheduledAuditName}", "DeleteScheduledAudit"},
    {"GET", "/audit/scheduledaudits", "ListScheduledAudits"},
    // Topic rules
    {"POST", "/rules/{ruleName}", "CreateTopicRule"},
    {"GET", "/rules/{ruleName}", "GetTopicRule"},
    {"PATCH", "/rules/{ruleName}", "ReplaceTopicRule"},
    {"DELETE", "/rules/{ruleName}", "DeleteTopicRule"},
    {"POST", "/rules/{ruleName}/enable", "EnableTopicRule"},
    {"POST", "/rules/{ruleName}/disable", "DisableTopicRule"},
    {"GET", "/rules", "ListTopicRules"},
};

std::string_view next_segment(std::string_view& pattern) {
    pattern.remove_prefix(1);  // the slash
    const std::size_t end = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, end);
    pattern.remove_prefix(end);
    return segment;
}

/// Does `pattern` fit `segments`? Fills `labels` if it does.
bool fits(std::string_view pattern,
          const std::vector<std::string>& segments,
          std::vector<std::string>& labels) {
    labels.clear();
    for (const auto& segment : segments) {
        if (pattern.size() < 2) return false;
        const std::string_view expected = next_segment(pattern);
        if (expected.starts_with('{')) {
            labels.push_back(segment);
        } else if (expected != segment) {
            return false;
        }
    }
    return pattern.empty() || pattern == "/";  // ListCertificateProviders ends with a slash
}

}  // namespace

std::span<const Route> routes() {
    return kRoutes;
}

Match match(std::string_view method, const std::vector<std::string>& segments) {
    Match found;
    if (segments.empty()) return found;
    for (const auto& route : kRoutes) {
        if (route.method != method) continue;
        if (fits(route.pattern, segments, found.labels)) {
            found.route = &route;
            return found;
        }
    }
    found.labels.clear();
    return found;
}

bool is_read_only(std::string_view operation) {
    return operation.starts_with("Get") || operation.starts_with("List") ||
           operation.starts_with("Describe");
}

}  // namespace hatchery::api
