#include "provisioning/flows/reserved_topics.h"

#include "ca/digest.h"
#include "provisioning/flows/log.h"
#include "provisioning/flows/payload.h"
#include "provisioning/flows/trace.h"
#include "provisioning/flows/wire_error.h"

#include <spdlog/spdlog.h>

namespace hatchery::flows {

namespace {

constexpr std::string_view kCreate = "$aws/certificates/create/";
constexpr std::string_view kCreateFromCsr = "$aws/certificates/create-from-csr/";
constexpr std::string_view kTemplates = "$aws/provisioning-templates/";
constexpr std::string_view kProvision = "/provision/";

enum class Operation { CreateKeysAndCertificate, CreateCertificateFromCsr, RegisterThing };

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::CreateKeysAndCertificate:
            return "CreateKeysAndCertificate";
        case Operation::CreateCertificateFromCsr:
            return "CreateCertificateFromCsr";
        case Operation::RegisterThing:
            break;
    }
    return "RegisterThing";
}

struct Route {
    Operation operation;
    std::string_view template_name;
    Encoding encoding;
};

std::optional<Encoding> parse_encoding(std::string_view text) {
    if (text == "json") return Encoding::Json;
    if (text == "cbor") return Encoding::Cbor;
    return std::nullopt;
}

std::optional<Route> parse_topic(std::string_view topic) {
    const auto slash = topic.rfind('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto encoding = parse_encoding(topic.substr(slash + 1));
    if (!encoding) return std::nullopt;
    const auto head = topic.substr(0, slash + 1);
    if (head == kCreate) return Route{Operation::CreateKeysAndCertificate, {}, *encoding};
    if (head == kCreateFromCsr) return Route{Operation::CreateCertificateFromCsr, {}, *encoding};
    if (!head.starts_with(kTemplates) || !head.ends_with(kProvision) ||
        head.size() <= kTemplates.size() + kProvision.size()) {
        return std::nullopt;
    }
    const auto name =
        head.substr(kTemplates.size(), head.size() - kTemplates.size() - kProvision.size());
    if (name.find('/') != std::string_view::npos) return std::nullopt;
    return Route{Operation::RegisterThing, name, *encoding};
}

AnswerMember text(std::string name, std::string value) {
    return {std::move(name), std::move(value), {}, {}};
}

std::vector<AnswerMember> answer_of(NewCertificate made) {
    std::vector<AnswerMember> answer;
    answer.push_back(text("certificateId", made.id.hex()));
    answer.push_back(text("certificatePem", std::move(made.certificate_pem)));
    if (made.private_key) {
        answer.push_back(text("privateKey", std::string(made.private_key->text())));
    }
    answer.push_back(text("certificateOwnershipToken", std::move(made.ownership_token)));
    return answer;
}

std::vector<AnswerMember> answer_of(RegisteredThing made) {
    std::vector<AnswerMember> answer;
    answer.push_back({"deviceConfiguration", {}, {}, std::move(made.device_configuration)});
    if (made.thing_name) answer.push_back(text("thingName", std::move(*made.thing_name)));
    return answer;
}

Result<std::vector<AnswerMember>> create_keys(Service& service,
                                              const Claimant& claimant,
                                              Time now) {
    auto made = create_keys_and_certificate(service, claimant, now);
    if (!made) return std::move(made).error();
    return answer_of(std::move(*made));
}

// The flow itself, which leaves its own trace, never saw this request.
void trace_unreadable(
    Service& service, const Claimant& claimant, const Route& route, const Error& error, Time now) {
    const bool registers = route.operation == Operation::RegisterThing;
    Trace trace(
        registers ? registry::AttemptKind::RegisterThing : registry::AttemptKind::CreateFromCsr,
        now);
    trace.asker(claimant.certificate);
    trace.client(claimant.client_id);
    trace.template_name(route.template_name);
    trace.begin("payload", "a well-formed request with members of the right types");
    record(service.traces, trace, &error);
}

Result<std::vector<AnswerMember>> perform(
    Service& service, const Claimant& claimant, const Route& route, ByteView payload, Time now) {
    // The contents of this request are not looked at: AWS documents it as empty, SDKs send {}.
    if (route.operation == Operation::CreateKeysAndCertificate) {
        return create_keys(service, claimant, now);
    }
    auto request = read_request(payload, route.encoding);
    if (!request) {
        trace_unreadable(service, claimant, route, request.error(), now);
        return std::move(request).error();
    }
    if (route.operation == Operation::CreateCertificateFromCsr) {
        auto made = create_certificate_from_csr(
            service, claimant, request->certificate_signing_request.value_or(""), now);
        if (!made) return std::move(made).error();
        return answer_of(std::move(*made));
    }
    auto made = register_thing(service,
                               claimant,
                               {std::string(route.template_name),
                                request->certificate_ownership_token.value_or(""),
                                std::move(request->parameters)},
                               now);
    if (!made) return std::move(made).error();
    return answer_of(std::move(*made));
}

TopicReply reject(const Claimant& claimant,
                  std::string_view topic,
                  const Route& route,
                  const Error& error) {
    const std::string request_id = ca::random_uuid();
    auto rejection = rejection_of(error, request_id);
    const auto level = rejection.status_code >= 500 ? spdlog::level::err : spdlog::level::warn;
    log()->log(level,
               "provisioning_rejected request={} operation={} template={} claim={} client={} "
               "status={} code={} error={}",
               request_id,
               to_string(route.operation),
               log_value(route.template_name),
               claimant.certificate.hex(),
               log_value(claimant.client_id),
               rejection.status_code,
               rejection.error_code,
               log_value(hatchery::to_string(error)));
    std::vector<AnswerMember> answer;
    answer.push_back({"statusCode", {}, rejection.status_code, {}});
    answer.push_back(text("errorCode", std::move(rejection.error_code)));
    answer.push_back(text("errorMessage", std::move(rejection.error_message)));
    return {std::string(topic) + "/rejected", write_answer(std::move(answer), route.encoding)};
}

}  // namespace

bool is_provisioning_request(std::string_view topic) {
    return parse_topic(topic).has_value();
}

bool is_provisioning_filter(std::string_view filter) {
    return filter.starts_with("$aws/certificates/") || filter.starts_with(kTemplates);
}

TopicReply answer_provisioning_request(Service& service,
                                       const Claimant& claimant,
                                       std::string_view topic,
                                       ByteView payload,
                                       Time now) {
    const auto route = parse_topic(topic);
    if (!route) return {std::string(topic) + "/rejected", {}};  // the precondition was broken
    auto answer = perform(service, claimant, *route, payload, now);
    if (!answer) return reject(claimant, topic, *route, answer.error());
    return {std::string(topic) + "/accepted", write_answer(std::move(*answer), route->encoding)};
}

}  // namespace hatchery::flows
