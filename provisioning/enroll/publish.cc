#include "provisioning/enroll/publish.h"

#include "provisioning/enroll/answer.h"
#include "provisioning/flows/publish.h"
#include "provisioning/http/target.h"

#include <nlohmann/json.hpp>

namespace hatchery::enroll {
namespace {

constexpr std::string_view kTopicsPath = "/topics/";

Result<bool> read_flag(const http::Target& target, std::string_view name) {
    const auto text = target.parameter(name).value_or("false");
    if (text == "true" || text == "false") return text == "true";
    return fail(Code::InvalidRequest,
                "expected true or false, found '" + std::string(text) + "'",
                std::string(name));
}

Result<int> quality_of_service(const http::Target& target) {
    const auto text = target.parameter("qos").value_or("0");
    if (text == "0" || text == "1") return text == "1" ? 1 : 0;
    return fail(Code::InvalidRequest, "expected 0 or 1, found '" + std::string(text) + "'", "qos");
}

/// MQTT 5's properties have no place in the message that goes to the broker.
Result<> refuse_properties(const http::Target& target, const http::Request& request) {
    for (const auto* name : {"contentType", "responseTopic", "messageExpiry"}) {
        if (target.parameter(name)) {
            return fail(Code::InvalidRequest, "properties of MQTT 5 are not supported", name);
        }
    }
    for (const auto& header : request.headers) {
        if (header.name.starts_with("x-amz-mqtt5-")) {
            return fail(
                Code::InvalidRequest, "properties of MQTT 5 are not supported", header.name);
        }
    }
    return {};
}

Result<flows::Event> read_message(const http::Request& request) {
    if (request.method != "POST") {
        return fail(Code::NotImplemented, "expected POST, found " + request.method);
    }
    auto target = http::parse_target(request.target);
    if (!target) return std::move(target).error();
    if (auto plain = refuse_properties(*target, request); !plain) return std::move(plain).error();
    // Whether a slash of the topic is percent-encoded or not, it is the same topic.
    std::string_view path = request.target;
    path = path.substr(kTopicsPath.size());
    auto topic = http::percent_decode(path.substr(0, path.find('?')));
    if (!topic) return std::move(topic).error();
    const auto qos = quality_of_service(*target);
    if (!qos) return qos.error();
    const auto retain = read_flag(*target, "retain");
    if (!retain) return retain.error();
    return flows::Event{std::move(*topic), request.body, *retain, *qos};
}

Result<> publish_message(flows::Service& service, const http::Request& request, Time now) {
    if (!request.client_certificate) {
        return fail(Code::Forbidden, "expected a device's client certificate, found none");
    }
    auto message = read_message(request);
    if (!message) return std::move(message).error();
    return flows::publish_for_device(service,
                                     {*request.client_certificate,
                                      request.remote_address,
                                      request.server_name,
                                      std::move(*message)},
                                     now);
}

std::string message_of(const Error& error) {
    if (error.code == Code::Forbidden) return "Forbidden";
    return error.code == Code::Internal ? "Internal failure" : error.message;
}

}  // namespace

bool is_publish(std::string_view target) {
    return target.starts_with(kTopicsPath);
}

DeviceAnswer answer_publish(flows::Service& service,
                            const http::Request& request,
                            const std::string& request_id,
                            Time now) {
    DeviceAnswer answer;
    if (request.client_certificate) answer.certificate = request.client_certificate->id().hex();
    const auto published = publish_message(service, request, now);
    std::string text = "OK";
    if (!published) {
        const Error& error = published.error();
        answer.why = std::string(to_string(error.code)) + ": " + to_string(error);
        answer.is_internal = error.code == Code::Internal;
        answer.response.status = error.code == Code::LimitExceeded ? 413 : status_of(error.code);
        text = message_of(error);
    }
    answer.response.body = nlohmann::json{{"message", text}, {"traceId", request_id}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
    return answer;
}

}  // namespace hatchery::enroll
