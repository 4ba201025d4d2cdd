// The handlers of every implemented operation, named as AWS names them, by subject and file.
#pragma once

#include "provisioning/api/call.h"

namespace hatchery::api {

namespace things {  // things_operations.cc, principals_operations.cc
Result<std::string> create_thing(const Call& call);
Result<std::string> describe_thing(const Call& call);
Result<std::string> update_thing(const Call& call);
Result<std::string> delete_thing(const Call& call);
Result<std::string> list_things(const Call& call);
Result<std::string> attach_thing_principal(const Call& call);
Result<std::string> detach_thing_principal(const Call& call);
Result<std::string> list_thing_principals(const Call& call);
Result<std::string> list_thing_principals_v2(const Call& call);
Result<std::string> list_principal_things(const Call& call);
Result<std::string> list_principal_things_v2(const Call& call);
}  // namespace things

namespace thing_types {  // thing_types_operations.cc
Result<std::string> create_thing_type(const Call& call);
Result<std::string> describe_thing_type(const Call& call);
Result<std::string> update_thing_type(const Call& call);
Result<std::string> deprecate_thing_type(const Call& call);
Result<std::string> delete_thing_type(const Call& call);
Result<std::string> list_thing_types(const Call& call);
}  // namespace thing_types

namespace thing_groups {  // thing_groups_operations.cc
Result<std::string> create_thing_group(const Call& call);
Result<std::string> describe_thing_group(const Call& call);
Result<std::string> update_thing_group(const Call& call);
Result<std::string> delete_thing_group(const Call& call);
Result<std::string> list_thing_groups(const Call& call);
Result<std::string> add_thing_to_thing_group(const Call& call);
Result<std::string> remove_thing_from_thing_group(const Call& call);
Result<std::string> update_thing_groups_for_thing(const Call& call);
Result<std::string> list_thing_groups_for_thing(const Call& call);
Result<std::string> list_things_in_thing_group(const Call& call);
}  // namespace thing_groups

namespace billing_groups {  // billing_groups_operations.cc
Result<std::string> create_billing_group(const Call& call);
Result<std::string> describe_billing_group(const Call& call);
Result<std::string> update_billing_group(const Call& call);
Result<std::string> delete_billing_group(const Call& call);
Result<std::string> list_billing_groups(const Call& call);
Result<std::string> add_thing_to_billing_group(const Call& call);
Result<std::string> remove_thing_from_billing_group(const Call& call);
Result<std::string> list_things_in_billing_group(const Call& call);
}  // namespace billing_groups

namespace certificates {  // certificates_operations.cc
Result<std::string> create_keys_and_certificate(const Call& call);
Result<std::string> create_certificate_from_csr(const Call& call);
Result<std::string> register_certificate(const Call& call);
Result<std::string> register_certificate_without_ca(const Call& call);
Result<std::string> describe_certificate(const Call& call);
Result<std::string> update_certificate(const Call& call);
Result<std::string> delete_certificate(const Call& call);
Result<std::string> list_certificates(const Call& call);
Result<std::string> list_certificates_by_ca(const Call& call);
}  // namespace certificates

namespace transfers {  // transfer_operations.cc
Result<std::string> transfer_certificate(const Call& call);
Result<std::string> accept_certificate_transfer(const Call& call);
Result<std::string> reject_certificate_transfer(const Call& call);
Result<std::string> cancel_certificate_transfer(const Call& call);
Result<std::string> list_outgoing_certificates(const Call& call);
}  // namespace transfers

namespace cas {  // ca_operations.cc
Result<std::string> get_registration_code(const Call& call);
Result<std::string> delete_registration_code(const Call& call);
Result<std::string> register_ca_certificate(const Call& call);
Result<std::string> describe_ca_certificate(const Call& call);
Result<std::string> update_ca_certificate(const Call& call);
Result<std::string> delete_ca_certificate(const Call& call);
Result<std::string> list_ca_certificates(const Call& call);
}  // namespace cas

namespace policies {  // policies_operations.cc, attachments_operations.cc
Result<std::string> create_policy(const Call& call);
Result<std::string> get_policy(const Call& call);
Result<std::string> delete_policy(const Call& call);
Result<std::string> list_policies(const Call& call);
Result<std::string> create_policy_version(const Call& call);
Result<std::string> get_policy_version(const Call& call);
Result<std::string> list_policy_versions(const Call& call);
Result<std::string> delete_policy_version(const Call& call);
Result<std::string> set_default_policy_version(const Call& call);
Result<std::string> attach_policy(const Call& call);
Result<std::string> detach_policy(const Call& call);
Result<std::string> list_attached_policies(const Call& call);
Result<std::string> list_targets_for_policy(const Call& call);
Result<std::string> attach_principal_policy(const Call& call);
Result<std::string> detach_principal_policy(const Call& call);
Result<std::string> list_principal_policies(const Call& call);
Result<std::string> list_policy_principals(const Call& call);
}  // namespace policies

namespace authorization {  // authorization_operations.cc
Result<std::string> test_authorization(const Call& call);
Result<std::string> get_effective_policies(const Call& call);
}  // namespace authorization

namespace account {  // account_operations.cc: tags, event configurations
Result<std::string> tag_resource(const Call& call);
Result<std::string> untag_resource(const Call& call);
Result<std::string> list_tags_for_resource(const Call& call);
Result<std::string> describe_event_configurations(const Call& call);
Result<std::string> update_event_configurations(const Call& call);
}  // namespace account

namespace audits {  // audit_operations.cc, audit_settings_operations.cc
Result<std::string> update_account_audit_configuration(const Call& call);
Result<std::string> describe_account_audit_configuration(const Call& call);
Result<std::string> delete_account_audit_configuration(const Call& call);
Result<std::string> start_on_demand_audit_task(const Call& call);
Result<std::string> describe_audit_task(const Call& call);
Result<std::string> cancel_audit_task(const Call& call);
Result<std::string> list_audit_tasks(const Call& call);
Result<std::string> list_audit_findings(const Call& call);
Result<std::string> describe_audit_finding(const Call& call);
Result<std::string> create_audit_suppression(const Call& call);
Result<std::string> describe_audit_suppression(const Call& call);
Result<std::string> update_audit_suppression(const Call& call);
Result<std::string> delete_audit_suppression(const Call& call);
Result<std::string> list_audit_suppressions(const Call& call);
Result<std::string> create_scheduled_audit(const Call& call);
Result<std::string> describe_scheduled_audit(const Call& call);
Result<std::string> update_scheduled_audit(const Call& call);
Result<std::string> delete_scheduled_audit(const Call& call);
Result<std::string> list_scheduled_audits(const Call& call);
}  // namespace audits

namespace search {  // search_operations.cc
Result<std::string> search_index(const Call& call);
Result<std::string> describe_index(const Call& call);
Result<std::string> list_indices(const Call& call);
Result<std::string> get_indexing_configuration(const Call& call);
Result<std::string> update_indexing_configuration(const Call& call);
}  // namespace search

namespace provisioning {  // templates_operations.cc
Result<std::string> create_provisioning_template(const Call& call);
Result<std::string> describe_provisioning_template(const Call& call);
Result<std::string> update_provisioning_template(const Call& call);
Result<std::string> delete_provisioning_template(const Call& call);
Result<std::string> list_provisioning_templates(const Call& call);
Result<std::string> create_provisioning_template_version(const Call& call);
Result<std::string> describe_provisioning_template_version(const Call& call);
Result<std::string> delete_provisioning_template_version(const Call& call);
Result<std::string> list_provisioning_template_versions(const Call& call);
Result<std::string> create_provisioning_claim(const Call& call);
Result<std::string> register_thing(const Call& call);
Result<std::string> describe_endpoint(const Call& call);
}  // namespace provisioning

namespace data {  // publish_operations.cc
Result<std::string> publish(const Call& call);
}  // namespace data

namespace registration_tasks {  // registration_tasks_operations.cc
Result<std::string> start_thing_registration_task(const Call& call);
Result<std::string> stop_thing_registration_task(const Call& call);
Result<std::string> describe_thing_registration_task(const Call& call);
Result<std::string> list_thing_registration_tasks(const Call& call);
Result<std::string> list_thing_registration_task_reports(const Call& call);
}  // namespace registration_tasks

}  // namespace hatchery::api
