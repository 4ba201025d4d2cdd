#include "provisioning/gateway/work.h"

#include "ca/base/clock.h"
#include "provisioning/flows/jobs_context.h"
#include "provisioning/jobs/topics.h"

#include <algorithm>
#include <exception>

namespace hatchery::gateway {
namespace {

Error unexpected(const std::exception& exception) {
    return fail(Code::Internal, std::string("unexpected exception: ") + exception.what());
}

}  // namespace

void step(flows::Admitting& device) {
    try {
        device.step();
    } catch (const std::exception& exception) {
        device.refuse(unexpected(exception));
    }
}

std::optional<flows::Admission> readmit_device(flows::Service& service,
                                               flows::IdentityCache& remembered,
                                               const flows::ConnectRequest& request) {
    try {
        return flows::readmit(service, remembered, request, clock_now());
    } catch (const std::exception&) {  // then the longer way says what is wrong
        return std::nullopt;
    }
}

Result<flows::Admission> refresh_device(flows::Service& service,
                                        const flows::ConnectRequest& request,
                                        const flows::Admission& previous) {
    try {
        const std::uint64_t generation = service.store.identity_generation();
        auto admission = flows::refresh(service, request, previous, clock_now());
        if (admission) admission->generation = std::max(admission->generation, generation);
        return admission;
    } catch (const std::exception& exception) {
        return unexpected(exception);
    }
}

Result<flows::TopicReply> answer_request(flows::Service& service,
                                         const flows::Claimant& claimant,
                                         const ProvisioningRequest& request) {
    try {
        if (!jobs::is_request(request.topic)) {
            return flows::answer_provisioning_request(
                service, claimant, request.topic, request.payload, clock_now());
        }
        auto reply = jobs::answer_request(
            flows::jobs_context(service), request.topic, request.payload, clock_now());
        return flows::TopicReply{std::move(reply.topic), std::move(reply.payload)};
    } catch (const std::exception& exception) {
        return unexpected(exception);
    }
}

Result<> keep_actions(rule_actions::Engine& rules, std::vector<registry::QueuedAction> actions) {
    try {
        return rules.keep(std::move(actions));
    } catch (const std::exception& exception) {
        return unexpected(exception);
    }
}

void trace_denied(const flows::Service& service,
                  const flows::ConnectRequest& request,
                  const flows::Admission& admission,
                  policy::Action action,
                  std::string_view name) {
    try {
        flows::trace_denial(service, request, admission, action, name, clock_now());
    } catch (const std::exception&) {  // out of memory: the packet matters more
    }
}

}  // namespace hatchery::gateway
