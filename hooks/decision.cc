#include "hooks/answer.h"

#include <nlohmann/json.hpp>

namespace hatchery::hooks {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 65536;
constexpr std::size_t kMaxReasonBytes = 1024;

std::string text_member(const Json& answer, const char* key) {
    const auto it = answer.find(key);
    if (it == answer.end() || !it->is_string()) return {};
    return cut(it->get<std::string>(), kMaxReasonBytes);
}

/// Replies that refuse often say why in a key of their own.
std::string reason_of(const Json& answer) {
    for (const char* key : {"reason", "errorMessage"}) {
        if (auto text = text_member(answer, key); !text.empty()) return text;
    }
    return "the hook answered allowProvisioning false";
}

Error invalid(std::string message, std::string where) {
    return fail(Code::InvalidRequest, std::move(message), std::move(where));
}

/// What a function that raised leaves: {"errorType", "errorMessage"} and no decision.
Error no_decision(const Json& answer) {
    const std::string message = text_member(answer, "errorMessage");
    if (message.empty() || answer.contains("allowProvisioning")) {
        return invalid("expected allowProvisioning to be true or false", "/allowProvisioning");
    }
    const std::string type = text_member(answer, "errorType");
    return fail(Code::Unavailable,
                "the function raised " + (type.empty() ? "" : type + ": ") + message,
                "/errorMessage");
}

Result<HookDecision> decision_of(const Json& answer) {
    const auto allow = answer.find("allowProvisioning");
    if (allow == answer.end() || !allow->is_boolean()) return no_decision(answer);
    HookDecision decision;
    decision.allow = allow->get<bool>();
    if (!decision.allow) decision.reason = reason_of(answer);
    const auto overrides = answer.find("parameterOverrides");
    if (overrides == answer.end() || overrides->is_null()) return decision;
    if (!overrides->is_object()) {
        return invalid("expected parameterOverrides to be an object", "/parameterOverrides");
    }
    for (const auto& [key, value] : overrides->items()) {
        if (!value.is_string()) {
            return invalid("expected the override of \"" + cut(key, 128) + "\" to be a string",
                           "/parameterOverrides");
        }
        decision.parameter_overrides.emplace(key, value.get<std::string>());
    }
    return decision;
}

Result<Json> parse_object(std::string_view text) {
    if (text.size() > kMaxAnswerBytes) {
        return invalid(
            "expected an answer of at most 65536 bytes, found " + std::to_string(text.size()), "");
    }
    Json answer = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!answer.is_object()) return invalid("expected the answer to be a JSON object", "");
    return answer;
}

Result<> read_text(const Json& event, const char* key, std::string& out) {
    const auto it = event.find(key);
    if (it == event.end()) return {};
    if (!it->is_string()) return invalid("expected a string", std::string("/") + key);
    out = it->get<std::string>();
    return {};
}

}  // namespace

std::string cut(std::string text, std::size_t max_bytes) {
    if (text.size() <= max_bytes) return text;
    while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0U) == 0x80U)
        --max_bytes;
    text.resize(max_bytes);
    return text;
}

std::string to_json(const HookEvent& event) {
    const Json json{{"claimCertificateId", event.claim_certificate_id},
                    {"certificateId", event.certificate_id},
                    {"certificatePem", event.certificate_pem},
                    {"templateArn", event.template_arn},
                    {"clientId", event.client_id},
                    {"parameters", event.parameters}};
    // Text that is no UTF-8 (a client's parameter) must not throw; the hook sees U+FFFD there.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string event_line(const HookEvent& event, std::string_view request_id) {
    std::string line = "{\"requestId\":\"";
    line.append(request_id).append("\",").append(to_json(event).substr(1));
    return line;
}

std::string lambda_line(const HookEvent& event,
                        std::string_view request_id,
                        std::chrono::milliseconds remaining) {
    std::string line = "{\"requestId\":\"";
    line.append(request_id).append("\",\"remainingMs\":").append(std::to_string(remaining.count()));
    line.append(",\"event\":").append(to_json(event)).append("}");
    return line;
}

Result<HookEvent> parse_event(std::string_view json) {
    const Json object = Json::parse(json.begin(), json.end(), nullptr, false);
    if (!object.is_object()) return invalid("expected the event to be a JSON object", "");
    HookEvent event;
    struct Member {
        const char* key;
        std::string& out;
    };
    for (const Member& member : {Member{"claimCertificateId", event.claim_certificate_id},
                                 Member{"certificateId", event.certificate_id},
                                 Member{"certificatePem", event.certificate_pem},
                                 Member{"templateArn", event.template_arn},
                                 Member{"clientId", event.client_id}}) {
        if (auto read = read_text(object, member.key, member.out); !read) {
            return std::move(read).error();
        }
    }
    const auto parameters = object.find("parameters");
    if (parameters == object.end()) return event;
    if (!parameters->is_object()) return invalid("expected an object", "/parameters");
    for (const auto& [key, value] : parameters->items()) {
        if (!value.is_string()) return invalid("expected a string", "/parameters/" + key);
        event.parameters.emplace(key, value.get<std::string>());
    }
    return event;
}

Result<HookDecision> parse_decision(std::string_view text) {
    auto answer = parse_object(text);
    if (!answer) return std::move(answer).error();
    return decision_of(*answer);
}

Result<WorkerAnswer> parse_worker_answer(std::string_view line) {
    auto answer = parse_object(line);
    if (!answer) return std::move(answer).error();
    WorkerAnswer result{std::nullopt, decision_of(*answer)};
    const auto id = answer->find("requestId");
    if (id != answer->end() && id->is_string()) result.request_id = id->get<std::string>();
    return result;
}

}  // namespace hatchery::hooks
