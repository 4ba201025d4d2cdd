// IoT policies, their versions, and attachments to certificates and thing groups. Documents are
// text here; what they mean is provisioning/policy's work.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/names.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <memory>

namespace hatchery::registry {

struct DeviceCertificate;  // certificates.h
struct Thing;              // things.h

struct PolicyVersion {
    int version = 1;
    std::string document;
    bool is_default = false;
    Time created;
};
struct Policy {
    std::int64_t key = 0;
    std::string name;
    int default_version = 1;
    std::string document;  ///< of the default version
    Time created, modified;
    std::string generation_id;
};
/// The caller has compiled `document` already. @errors AlreadyExists
Result<Policy> create_policy(
    store::Tx&, const Account&, std::string_view name, std::string_view document, Time now);
Result<Policy> find_policy(store::Reader&, std::string_view name);
/// The same, remembered from one write to the next.
Result<std::shared_ptr<const Policy>> known_policy(store::Tx&, std::string_view name);
Result<Page<Policy>> list_policies(store::Reader&, const PageRequest&, bool ascending);
/// @errors DeleteConflict  attached, or more than the default version is left
Result<> delete_policy(store::Tx&, std::string_view name);
/// Version ids are never reused. @errors VersionsLimitExceeded  a sixth version
Result<PolicyVersion> create_policy_version(
    store::Tx&, std::string_view name, std::string_view document, bool set_default, Time now);
Result<PolicyVersion> find_policy_version(store::Reader&, std::string_view name, int version);
Result<std::vector<PolicyVersion>> policy_versions(store::Reader&, std::string_view name);
/// @errors DeleteConflict  it is the default version
Result<> delete_policy_version(store::Tx&, std::string_view name, int version);
Result<> set_default_policy_version(store::Tx&, std::string_view name, int version, Time now);

/// Attachments; idempotent. @errors NotFound; LimitExceeded  over 10 policies on one target
Result<> attach_policy_to_certificate(store::Tx&, std::string_view policy, const CertificateId&);
/// The same for records that this write read or made.
Result<> attach_policy_to_certificate(store::Tx&, const Policy&, const DeviceCertificate&);
Result<> detach_policy_from_certificate(store::Tx&, std::string_view policy, const CertificateId&);
Result<> attach_policy_to_group(store::Tx&, std::string_view policy, std::string_view group);
Result<> detach_policy_from_group(store::Tx&, std::string_view policy, std::string_view group);
Result<std::vector<Policy>> policies_of_certificate(store::Reader&, const CertificateId&);
/// The same for a certificate that this view read.
Result<std::vector<Policy>> policies_of_certificate(store::Reader&, const DeviceCertificate&);
/// With `inherited`, those of the parent groups too.
Result<std::vector<Policy>> policies_of_group(store::Reader&,
                                              std::string_view group,
                                              bool inherited);
/// Of every group that the thing is in, and their parents; no policy twice.
Result<std::vector<Policy>> policies_of_things_groups(store::Reader&, std::string_view thing);
/// The same for a thing that this view read.
Result<std::vector<Policy>> policies_of_things_groups(store::Reader&, const Thing&);
struct PolicyTargets {
    std::vector<CertificateId> certificates;
    std::vector<std::string> thing_groups;
};
Result<PolicyTargets> targets_of_policy(store::Reader&, std::string_view policy);

}  // namespace hatchery::registry
