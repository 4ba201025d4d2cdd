// Which operation a method and a path mean: the tables of the iot 2015-05-28 service model, those
// that this server has and the others. Pure.
#pragma once

#include "provisioning/api/call.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::api {

struct Route {
    std::string_view method;
    std::string_view pattern;    ///< "/things/{thingName}/principals"
    std::string_view operation;  ///< "AttachThingPrincipal"
    Handler handler = nullptr;   ///< null: of absent_routes()
};

/// Every operation that this server has; a literal segment comes before a placeholder in the same
/// place.
std::span<const Route> routes();
/// Those of the service model that it does not have.
std::span<const Route> absent_routes();
/// Those of the service iot-jobs-data.
std::span<const Route> jobs_data_routes();

struct Match {
    const Route* route = nullptr;     ///< null: no operation has this method and path
    std::vector<std::string> labels;  ///< decoded placeholders, in order
};
Match match(std::string_view method,
            const std::vector<std::string>& segments,
            std::span<const Route> table = routes());

/// Does `operation` change nothing (Get…, List…, Describe…, SearchIndex, TestAuthorization)? What a
/// read-only key may call.
bool is_read_only(std::string_view operation);

}  // namespace hatchery::api
