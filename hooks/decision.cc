#include "hooks/hook.h"

#include <nlohmann/json.hpp>

namespace hatchery::hooks {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 65536;
constexpr std::size_t kMaxReasonBytes = 1024;

/// At most `max_bytes` of `text`, cut at a character's end.
std::string cut(std::string text, std::size_t max_bytes) {
    if (text.size() <= max_bytes) return text;
    while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0U) == 0x80U)
        --max_bytes;
    text.resize(max_bytes);
    return text;
}

/// Replies that refuse often say why in a key of their own.
std::string reason_of(const Json& answer) {
    for (const char* key : {"reason", "errorMessage"}) {
        const auto it = answer.find(key);
        if (it != answer.end() && it->is_string()) {
            return cut(it->get<std::string>(), kMaxReasonBytes);
        }
    }
    return "the hook answered allowProvisioning false";
}

Error invalid(std::string message, std::string where) {
    return fail(Code::InvalidRequest, std::move(message), std::move(where));
}

}  // namespace

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

Result<HookDecision> parse_decision(std::string_view text) {
    if (text.size() > kMaxAnswerBytes) {
        return invalid(
            "expected an answer of at most 65536 bytes, found " + std::to_string(text.size()), "");
    }
    const Json answer = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!answer.is_object()) return invalid("expected the answer to be a JSON object", "");
    const auto allow = answer.find("allowProvisioning");
    if (allow == answer.end() || !allow->is_boolean()) {
        return invalid("expected allowProvisioning to be true or false", "/allowProvisioning");
    }
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

}  // namespace hatchery::hooks
