// The data plane of jobs for devices with a certificate: /things/THING/jobs… (iot-jobs-data
// 2017-09-29). Policies are asked for iot:DescribeJobExecution and the like on the thing.
#pragma once

#include "ca/base/clock.h"
#include "provisioning/enroll/device_answer.h"
#include "provisioning/flows/service.h"

#include <string_view>

namespace hatchery::enroll {

/// Is it a path of the jobs data plane?
bool is_jobs(std::string_view target);

/// Errors have the service model's names, in x-amzn-ErrorType. Thread-safe; blocks on the store.
DeviceAnswer answer_jobs(flows::Service& service, const http::Request& request, Time now);

}  // namespace hatchery::enroll
