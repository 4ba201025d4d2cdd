// Things, thing types, thing groups, billing groups and their memberships. Functions over a Reader
// or a Tx, so that one provisioning writes all its records in one transaction. `now` is the
// caller's.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/names.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

#include <map>

namespace hatchery::registry {

using Attributes = std::map<std::string, std::string>;

struct ThingType {
    std::int64_t key = 0;
    std::string name, id, description;
    std::vector<std::string> searchable_attributes;
    Time created;
    std::optional<Time> deprecated;
};
/// Creates, or returns the equal one that is there. @errors AlreadyExists  with other properties
Result<ThingType> create_thing_type(store::Tx&, const Account&, const ThingType& wanted, Time now);
/// @errors InvalidRequest  over 3, or no attribute names
Result<> check_searchable_attributes(const std::vector<std::string>& names);
Result<ThingType> find_thing_type(store::Reader&, std::string_view name);
Result<Page<ThingType>> list_thing_types(store::Reader&, const PageRequest&);
struct ThingTypeUpdate {
    std::optional<std::string> description;                         ///< unset = leave
    std::optional<std::vector<std::string>> searchable_attributes;  ///< unset = leave
};
Result<> update_thing_type(store::Tx&, std::string_view name, const ThingTypeUpdate&);
Result<> set_thing_type_deprecated(store::Tx&, std::string_view name, bool deprecated, Time now);
/// @errors InvalidRequest  not deprecated for five minutes yet, or things of the type exist
Result<> delete_thing_type(store::Tx&, std::string_view name, Time now);

struct ThingGroup {
    std::int64_t key = 0;
    std::string name, id, description;
    std::optional<std::string> parent;
    std::vector<std::string> ancestors;  ///< root first, without itself
    Attributes attributes;
    std::int64_t version = 1;
    Time created;
};
/// @errors NotFound  parent; AlreadyExists  other parent or properties; LimitExceeded  depth over 7
Result<ThingGroup> create_thing_group(store::Tx&,
                                      const Account&,
                                      const ThingGroup& wanted,
                                      Time now);
Result<ThingGroup> find_thing_group(store::Reader&, std::string_view name);
Result<Page<ThingGroup>> list_thing_groups(store::Reader&,
                                           const PageRequest&,
                                           std::optional<std::string> parent);
struct ThingGroupUpdate {
    std::optional<std::string> description;  ///< unset = leave
    std::optional<Attributes> attributes;    ///< unset = leave
    bool merge_attributes = false;           ///< an empty value deletes the attribute on merge
    std::optional<std::int64_t> expected_version;
};
/// Answers the new version. @errors NotFound; VersionConflict; InvalidRequest
Result<std::int64_t> update_thing_group(store::Tx&, std::string_view name, const ThingGroupUpdate&);
/// @errors InvalidRequest  it has child groups; VersionConflict
Result<> delete_thing_group(store::Tx&,
                            std::string_view name,
                            std::optional<std::int64_t> expected_version);

struct BillingGroup {
    std::int64_t key = 0;
    std::string name, id, description;
    std::int64_t version = 1;
    Time created;
};
Result<BillingGroup> create_billing_group(store::Tx&,
                                          const Account&,
                                          const BillingGroup& wanted,
                                          Time now);
Result<BillingGroup> find_billing_group(store::Reader&, std::string_view name);
Result<Page<BillingGroup>> list_billing_groups(store::Reader&, const PageRequest&);
/// Answers the new version. @errors NotFound; VersionConflict
Result<std::int64_t> update_billing_group(store::Tx&,
                                          std::string_view name,
                                          std::optional<std::string> description,
                                          std::optional<std::int64_t> expected_version);
Result<> delete_billing_group(store::Tx&,
                              std::string_view name,
                              std::optional<std::int64_t> expected_version);

struct Thing {
    std::int64_t key = 0;
    std::string name, id;
    std::optional<std::string> thing_type;
    Attributes attributes;
    std::optional<std::string> billing_group;
    std::int64_t version = 1;
};
struct NewThing {
    std::string name;
    std::optional<std::string> thing_type;
    Attributes attributes;
    std::optional<std::string> billing_group;
};
/// Creates, or returns the equal one that is there.
/// @errors InvalidRequest  a name, attribute or their number (3 without a type, 50 with one) is not
/// allowed, or the type is
///                         deprecated
/// @errors NotFound  thing type or billing group ("thing type X does not exist"); AlreadyExists
Result<Thing> create_thing(store::Tx&, const Account&, const NewThing& wanted, Time now);
/// Creates, or nothing if a thing of that name is there, whatever else is wrong then. @errors as
/// create_thing, without AlreadyExists
Result<std::optional<Thing>> add_thing(store::Tx&, const NewThing& wanted);
Result<Thing> find_thing(store::Reader&, std::string_view name);
struct ThingFilter {
    std::optional<std::string> thing_type, attribute_name, attribute_value;
    bool attribute_value_is_prefix = false;
};
Result<Page<Thing>> list_things(store::Reader&, const PageRequest&, const ThingFilter&);
struct ThingUpdate {
    std::optional<Attributes> attributes;  ///< unset = leave
    bool merge_attributes = false;         ///< an empty value deletes the attribute on merge
    std::optional<std::string> thing_type;
    bool remove_thing_type = false;
    std::optional<std::int64_t> expected_version;
};
Result<Thing> update_thing(store::Tx&, std::string_view name, const ThingUpdate&);
/// Succeeds when it is not there. @errors InvalidRequest  a certificate is attached;
/// VersionConflict
Result<> delete_thing(store::Tx&,
                      std::string_view name,
                      std::optional<std::int64_t> expected_version);

/// Memberships; all idempotent. @errors NotFound  thing or group; LimitExceeded  over 10 groups
Result<> add_thing_to_group(store::Tx&, std::string_view thing, std::string_view group);
/// The same for a thing that this write read or made.
Result<> add_thing_to_group(store::Tx&, const Thing& thing, std::string_view group);
Result<> remove_thing_from_group(store::Tx&, std::string_view thing, std::string_view group);
Result<std::vector<std::string>> groups_of_thing(store::Reader&, std::string_view thing);
Result<Page<std::string>> things_in_group(store::Reader&,
                                          std::string_view group,
                                          bool recursive,
                                          const PageRequest&);
Result<> set_billing_group(store::Tx&,
                           std::string_view thing,
                           std::optional<std::string> billing_group);
Result<Page<std::string>> things_in_billing_group(store::Reader&,
                                                  std::string_view group,
                                                  const PageRequest&);

/// Certificates as principals of things; idempotent. @errors NotFound; Conflict  attached
/// exclusively elsewhere
Result<> attach_thing_principal(store::Tx&,
                                std::string_view thing,
                                const CertificateId&,
                                bool exclusive);
struct DeviceCertificate;  // certificates.h
/// The same for records that this write read or made.
Result<> attach_thing_principal(store::Tx&, const Thing&, const DeviceCertificate&, bool exclusive);
Result<> detach_thing_principal(store::Tx&, std::string_view thing, const CertificateId&);
Result<std::vector<CertificateId>> principals_of_thing(store::Reader&, std::string_view thing);
struct AttachedThing {
    std::string name;
    bool exclusive = false;
};
Result<std::vector<AttachedThing>> things_of_principal(store::Reader&, const CertificateId&);
/// The same for a certificate that this view read.
Result<std::vector<AttachedThing>> things_of_principal(store::Reader&, const DeviceCertificate&);

}  // namespace hatchery::registry
