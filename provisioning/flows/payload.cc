#include "provisioning/flows/payload.h"

#include <nlohmann/json.hpp>

namespace hatchery::flows {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxParameterName = 2048;  // iot 2015-05-28, Parameter and Value
constexpr std::size_t kMaxParameterValue = 4096;

Error payload_error(std::string message) {
    return fail(Code::InvalidRequest, std::move(message), "payload");
}

Result<json> parse(ByteView payload, Encoding encoding) {
    if (payload.size() > kMaxPayloadBytes) {
        return payload_error("expected at most " + std::to_string(kMaxPayloadBytes) +
                             " bytes, found " + std::to_string(payload.size()));
    }
    const bool is_json = encoding == Encoding::Json;
    const bool bounded = is_json ? is_bounded_json(text_of(payload), kMaxPayloadDepth)
                                 : is_bounded_cbor(payload, kMaxPayloadDepth);
    if (!bounded) {
        return payload_error(is_json ? "JSON is nested too deeply"
                                     : "expected one well-formed CBOR map, not nested deeply");
    }
    auto document = is_json ? json::parse(payload.begin(), payload.end(), nullptr, false)
                            : json::from_cbor(payload.begin(), payload.end(), true, false);
    if (document.is_discarded()) {
        return payload_error(is_json ? "payload is not well-formed JSON"
                                     : "payload is not well-formed CBOR");
    }
    if (!document.is_object()) {
        return payload_error(is_json ? "expected a JSON object" : "expected a CBOR map");
    }
    return document;
}

// CBOR text is not checked by the library; a broken one would fail later, where it is written.
bool is_utf8(const json& document) {
    try {
        return !document.dump().empty();
    } catch (const json::exception&) {
        return false;
    }
}

Result<std::optional<std::string>> text_member(const json& document, const std::string& name) {
    const auto member = document.find(name);
    if (member == document.end() || member->is_null()) return std::optional<std::string>{};
    if (!member->is_string()) {
        return fail(Code::InvalidRequest, "expected a string", "/" + name);
    }
    return std::optional(member->get<std::string>());
}

Result<std::map<std::string, std::string>> parameters_member(const json& document) {
    std::map<std::string, std::string> parameters;
    const auto member = document.find("parameters");
    if (member == document.end() || member->is_null()) return parameters;
    if (!member->is_object()) {
        return fail(Code::InvalidRequest, "expected a map of strings", "/parameters");
    }
    for (const auto& [name, value] : member->items()) {
        const std::string where = "/parameters/" + name.substr(0, 128);
        if (!value.is_string()) return fail(Code::InvalidRequest, "expected a string", where);
        const auto& text = value.get_ref<const std::string&>();
        if (name.size() > kMaxParameterName || text.size() > kMaxParameterValue) {
            return fail(Code::InvalidRequest,
                        "expected a name of at most " + std::to_string(kMaxParameterName) +
                            " and a value of at most " + std::to_string(kMaxParameterValue) +
                            " characters",
                        where);
        }
        parameters.emplace(name, text);
    }
    return parameters;
}

}  // namespace

Result<RequestMembers> read_request(ByteView payload, Encoding encoding) {
    auto document = parse(payload, encoding);
    if (!document) return std::move(document).error();
    if (encoding == Encoding::Cbor && !is_utf8(*document)) {
        return payload_error("expected texts in UTF-8");
    }
    auto csr = text_member(*document, "certificateSigningRequest");
    if (!csr) return std::move(csr).error();
    auto token = text_member(*document, "certificateOwnershipToken");
    if (!token) return std::move(token).error();
    auto parameters = parameters_member(*document);
    if (!parameters) return std::move(parameters).error();
    return RequestMembers{std::move(*csr), std::move(*token), std::move(*parameters)};
}

std::string write_answer(std::vector<AnswerMember> members, Encoding encoding) {
    nlohmann::ordered_json document = nlohmann::ordered_json::object();
    for (const auto& member : members) {
        if (member.number) {
            document[member.name] = *member.number;
        } else if (member.map) {
            document[member.name] = *member.map;
        } else {
            document[member.name] = member.text;
        }
    }
    std::string payload;
    if (encoding == Encoding::Json) {
        payload = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    } else {
        nlohmann::ordered_json::to_cbor(document, payload);
    }
    for (auto& member : members) {
        static_cast<void>(Secret::take(member.text));
        auto& copy = document[member.name];
        if (copy.is_string()) static_cast<void>(Secret::take(copy.get_ref<std::string&>()));
    }
    return payload;
}

}  // namespace hatchery::flows
