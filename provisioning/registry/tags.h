// What hangs on other records or on the whole account: tags, and which registry events are on.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/registry/account.h"
#include "provisioning/store/store.h"

#include <map>
#include <string>
#include <vector>

namespace hatchery::registry {

using Tags = std::map<std::string, std::string>;

/// A record that can have tags, as the end of its ARN: "thinggroup/Dev".
struct TaggedResource {
    std::string type, name;
};
/// Types: thingtype, thinggroup, billinggroup, policy, cacert, provisioningtemplate,
/// job.
/// @errors InvalidRequest  no ARN of this account, or of something that has no tags
Result<TaggedResource> parse_tagged_resource(const Account&, std::string_view arn);

/// At most 50 tags; keys 1-128 characters, none begins with "aws:"; values at most 256.
/// @errors InvalidRequest  `where` = "tags"
Result<> check_tags(const Tags&);
/// Adds or replaces. @errors NotFound  the resource; LimitExceeded  over 50 tags
Result<> add_tags(store::Tx&, const TaggedResource&, const Tags&);
/// Absent keys are no error. @errors NotFound  the resource
Result<> remove_tags(store::Tx&, const TaggedResource&, const std::vector<std::string>& keys);
/// @errors NotFound  the resource
Result<Tags> tags_of(store::Reader&, const TaggedResource&);
/// With its resource; for the functions that delete one.
Result<> forget_tags(store::Tx&, std::string_view type, std::string_view name);

/// "THING", "CERTIFICATE" … as DescribeEventConfigurations lists them.
struct EventConfigurations {
    std::map<std::string, bool, std::less<>> enabled;  ///< every type there is
    std::optional<Time> created, modified;             ///< unset until the first change
};
Result<EventConfigurations> event_configurations(store::Reader&);
/// Changes the named types only. @errors InvalidRequest  an unknown type
Result<> set_event_configurations(store::Tx&, const std::map<std::string, bool>& wanted, Time now);

}  // namespace hatchery::registry
