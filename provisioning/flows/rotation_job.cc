#include "provisioning/flows/rotation_job.h"

#include "provisioning/flows/rotation.h"
#include "provisioning/registry/certificates.h"
#include "provisioning/registry/things.h"

#include <nlohmann/json.hpp>

namespace hatchery::flows {

namespace {

using nlohmann::json;
using registry::ExecutionStatus;
using registry::JobStatus;

constexpr int kThingsAtOnce = 1000;  // executions made in one commit

jobs::NewJob rotation_job(const RotationOrder& order, const registry::Account& account) {
    json settings = {{"description", "certificate rotation"},
                     {"timeoutConfig", {{"inProgressTimeoutInMinutes", order.timeout_minutes}}}};
    if (order.retries > 0) {
        const json rule = {{"failureType", "ALL"}, {"numberOfRetries", order.retries}};
        settings["jobExecutionsRetryConfig"]["criteriaList"] = json::array({rule});
    }
    if (order.per_minute > 0) {
        settings["jobExecutionsRolloutConfig"] = {{"maximumPerMinute", order.per_minute}};
    }
    jobs::NewJob job;
    job.id = order.job_id;
    job.document = kRotationDocument;
    job.settings = settings.dump();
    if (!order.group.empty()) job.targets.push_back(account.arn("thinggroup", order.group));
    if (!order.thing.empty()) job.targets.push_back(account.arn("thing", order.thing));
    job.is_rotation = true;
    return job;
}

/// The job of an order before that a crash ended, or a new one.
Result<std::int64_t> expiring_job(const jobs::Context& context,
                                  const RotationOrder& order,
                                  Time now) {
    const jobs::NewJob wanted = rotation_job(order, context.account);
    registry::Job job;
    job.id = wanted.id;
    job.document = wanted.document;
    job.settings = wanted.settings;
    job.is_rotation = true;
    job.status = JobStatus::Scheduled;  // without a time: nothing begins it but we
    job.created = now;
    return context.store.write([&](store::Tx& tx) -> Result<std::int64_t> {
        auto there = registry::find_job(tx, job.id);
        const bool goes_on =
            there && there->is_rotation && there->status == JobStatus::Scheduled && !there->starts;
        if (goes_on) return there->key;
        return registry::add_job(tx, context.account, job);
    });
}

Result<> order_expiring(const jobs::Context& context, const RotationOrder& order, Time now) {
    auto key = expiring_job(context, order, now);
    if (!key) return std::move(key).error();
    for (std::int64_t after = 0;;) {
        auto things = context.store.read([&](store::Reader& reader) {
            return registry::expiring_things(reader, now + *order.expiring, after, kThingsAtOnce);
        });
        if (!things) return std::move(things).error();
        if (things->empty()) break;
        after = things->back().certificate;
        auto added = context.store.write([&](store::Tx& tx) -> Result<> {
            for (const auto& one : *things) {
                auto good =
                    registry::add_job_thing(tx, *key, one.thing, ExecutionStatus::Waiting, now);
                if (!good && good.error().code != Code::NotFound) return good;  // deleted meanwhile
            }
            return {};
        });
        if (!added) return added;
    }
    return context.store.write([&](store::Tx& tx) -> Result<> {
        auto job = registry::find_job(tx, *key);
        if (!job) return std::move(job).error();
        job->status = JobStatus::InProgress;
        job->updated = now;
        if (auto saved = registry::save_job(tx, *job); !saved) return saved;
        return jobs::complete_if_done(tx, *key, now);
    });
}

Result<registry::Job> find_as_rotation(store::Reader& reader, const std::string& job_id) {
    auto job = registry::find_job(reader, job_id);
    if (!job || job->is_rotation) return job;
    return fail(Code::Conflict, "job " + job_id + " is not a rotation");
}

Result<RotatedThing> rotated_thing(store::Reader& reader, registry::JobExecution execution) {
    RotatedThing thing{std::move(execution), {}};
    auto principals = registry::principals_of_thing(reader, thing.execution.thing_name);
    if (!principals) return std::move(principals).error();
    for (const auto& id : *principals) {
        auto certificate = registry::find_certificate(reader, id);
        if (!certificate) return std::move(certificate).error();
        if (certificate->status != registry::CertificateStatus::Active) continue;
        thing.certificates.push_back(std::move(*certificate));
    }
    return thing;
}

}  // namespace

Result<> order_rotation(const jobs::Context& context, const RotationOrder& order, Time now) {
    const int selections =
        (order.group.empty() ? 0 : 1) + (order.thing.empty() ? 0 : 1) + (order.expiring ? 1 : 0);
    if (selections != 1) {
        return fail(Code::InvalidRequest, "expected one of a group, a thing and a time of expiry");
    }
    if (order.expiring) return order_expiring(context, order, now);
    return jobs::create_job(context, rotation_job(order, context.account), now);
}

std::int64_t RotationStanding::total() const {
    std::int64_t sum = 0;
    for (const auto one : counts)
        sum += one;
    return sum;
}

std::int64_t RotationStanding::open() const {
    return count(ExecutionStatus::Waiting) + count(ExecutionStatus::Queued) +
           count(ExecutionStatus::InProgress);
}

bool RotationStanding::is_over() const {
    return job.status == JobStatus::Completed || (job.status == JobStatus::Canceled && open() == 0);
}

Result<RotationStanding> find_rotation_job(store::Store& store, const std::string& job_id) {
    return store.read([&](store::Reader& reader) -> Result<RotationStanding> {
        auto job = find_as_rotation(reader, job_id);
        if (!job) return std::move(job).error();
        auto counts = registry::count_executions(reader, job->key);
        if (!counts) return std::move(counts).error();
        return RotationStanding{std::move(*job), *counts};
    });
}

Result<> for_each_rotated(store::Store& store,
                          const registry::Job& job,
                          const std::function<Result<>(const RotatedThing&)>& with) {
    registry::PageRequest request;
    for (;;) {
        std::vector<RotatedThing> things;
        std::optional<std::string> next;
        auto read = store.read([&](store::Reader& reader) -> Result<> {
            auto page = registry::executions_of_job(reader, job.key, std::nullopt, request);
            if (!page) return std::move(page).error();
            for (auto& execution : page->items) {
                if (execution.is_superseded) continue;
                auto thing = rotated_thing(reader, std::move(execution));
                if (!thing) return std::move(thing).error();
                things.push_back(std::move(*thing));
            }
            next = std::move(page->next);
            return {};
        });
        if (!read) return read;
        for (const auto& thing : things) {
            if (auto done = with(thing); !done) return done;
        }
        if (!next) return {};
        request.after = std::move(*next);
    }
}

}  // namespace hatchery::flows
