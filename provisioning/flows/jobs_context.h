// Where the functions of the jobs box work, for the fronts.
#pragma once

#include "provisioning/flows/service.h"
#include "provisioning/jobs/jobs.h"

namespace hatchery::flows {

/// Placeholders in job documents become links to kept files where the service has them.
jobs::Context jobs_context(const Service& service);

/// The job document that `source` names: a kept file (`hatchery file put`), by an S3 URL or its
/// name. Copied now: what becomes of the file later changes no job.
/// @errors InvalidRequest  no such file, or over 32,768 characters; `where` = /documentSource
Result<std::string> read_document_source(const Service& service, const std::string& source);

}  // namespace hatchery::flows
