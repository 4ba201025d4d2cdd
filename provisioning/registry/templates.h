// Provisioning templates and their versions, as text; templates/ compiles them.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/registry/names.h"
#include "provisioning/registry/page.h"
#include "provisioning/store/store.h"

namespace hatchery::registry {

struct ProvisioningTemplate {
    std::int64_t key = 0;
    std::string name, description, role_arn;
    bool enabled = false;
    bool is_jitp = false;  ///< type JITP, else FLEET_PROVISIONING
    int default_version = 1;
    std::string body;  ///< of the default version, byte for byte as it came
    std::optional<std::string> hook_target_arn, hook_payload_version;
    Time created, modified;
};
struct TemplateVersion {
    int version = 1;
    std::string body;
    bool is_default = false;
    Time created;
};
/// @errors AlreadyExists
Result<ProvisioningTemplate> create_template(store::Tx&,
                                             const Account&,
                                             const ProvisioningTemplate& wanted,
                                             Time now);
Result<ProvisioningTemplate> find_template(store::Reader&, std::string_view name);
Result<Page<ProvisioningTemplate>> list_templates(store::Reader&, const PageRequest&);
struct TemplateUpdate {
    std::optional<std::string> description, role_arn;
    std::optional<bool> enabled;
    std::optional<int> default_version;
    std::optional<std::string> hook_target_arn, hook_payload_version;
    bool remove_hook = false;
};
Result<> update_template(store::Tx&, std::string_view name, const TemplateUpdate&, Time now);
/// @errors DeleteConflict  other versions than the default exist
Result<> delete_template(store::Tx&, std::string_view name);
/// @errors VersionsLimitExceeded  a sixth version
Result<TemplateVersion> create_template_version(
    store::Tx&, std::string_view name, std::string_view body, bool set_default, Time now);
Result<TemplateVersion> find_template_version(store::Reader&, std::string_view name, int version);
Result<std::vector<TemplateVersion>> template_versions(store::Reader&, std::string_view name);
/// @errors DeleteConflict  it is the default version
Result<> delete_template_version(store::Tx&, std::string_view name, int version);

}  // namespace hatchery::registry
