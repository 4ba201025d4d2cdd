// The handlers of the operations on topic rules, named as AWS names them.
#pragma once

#include "provisioning/api/call.h"

namespace hatchery::api::rules {

Result<std::string> create_topic_rule(const Call& call);
Result<std::string> get_topic_rule(const Call& call);
Result<std::string> replace_topic_rule(const Call& call);
Result<std::string> delete_topic_rule(const Call& call);
Result<std::string> enable_topic_rule(const Call& call);
Result<std::string> disable_topic_rule(const Call& call);
Result<std::string> list_topic_rules(const Call& call);

}  // namespace hatchery::api::rules
