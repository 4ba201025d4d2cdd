#include "provisioning/api/call.h"

#include "provisioning/api/page_token.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace hatchery::api {
namespace {

constexpr int kMaxPage = 250;

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

Result<registry::PageRequest> page_request(const Call& call,
                                           std::string_view size_name,
                                           std::string_view token_name) {
    registry::PageRequest request;
    auto size = query_integer(call, size_name);
    if (!size) return std::move(size).error();
    if (*size && (**size < 1 || **size > kMaxPage)) {
        return fail(Code::InvalidRequest,
                    "expected 1 to 250, found " + std::to_string(**size),
                    std::string(size_name));
    }
    if (*size) request.limit = static_cast<int>(**size);
    const auto token = call.target.parameter(token_name);
    if (!token || token->empty()) return request;
    auto position = read_page_token(call.operation, *token);
    if (!position) {
        return fail(position.error().code, position.error().message, std::string(token_name));
    }
    request.after = std::move(*position);
    return request;
}

}  // namespace

Result<std::string> header_input(const Call& call, std::string_view name) {
    for (const auto& field : call.headers) {
        if (field.name == name && !field.value.empty()) return field.value;
    }
    return fail(Code::InvalidRequest, "expected the header, found nothing", std::string(name));
}

Result<bool> query_flag(const Call& call, std::string_view name, bool absent) {
    const auto value = call.target.parameter(name);
    if (!value) return absent;
    if (*value == "true") return true;
    if (*value == "false") return false;
    return fail(Code::InvalidRequest,
                "expected true or false, found '" + std::string(*value) + "'",
                std::string(name));
}

Result<std::optional<std::int64_t>> query_integer(const Call& call, std::string_view name) {
    const auto value = call.target.parameter(name);
    if (!value) return std::optional<std::int64_t>();
    const auto number = parse_integer(*value);
    if (!number) {
        return fail(Code::InvalidRequest,
                    "expected an integer, found '" + std::string(*value) + "'",
                    std::string(name));
    }
    return number;
}

std::optional<std::string> query_text(const Call& call, std::string_view name) {
    const auto value = call.target.parameter(name);
    if (!value) return std::nullopt;
    return std::string(*value);
}

Result<registry::PageRequest> page_by_next_token(const Call& call) {
    return page_request(call, "maxResults", "nextToken");
}

Result<registry::PageRequest> page_by_marker(const Call& call) {
    return page_request(call, "pageSize", "marker");
}

Result<registry::PageRequest> page_by_body(const Call& call,
                                           std::int64_t most,
                                           std::int64_t otherwise) {
    registry::PageRequest request;
    auto size = call.input.optional_integer("maxResults");
    if (!size) return std::move(size).error();
    const std::int64_t limit = size->value_or(otherwise);
    if (limit < 1 || limit > most) {
        return fail(Code::InvalidRequest,
                    "expected 1 to " + std::to_string(most) + ", found " + std::to_string(limit),
                    "/maxResults");
    }
    request.limit = static_cast<int>(limit);
    auto token = call.input.optional_text("nextToken");
    if (!token) return std::move(token).error();
    if (!*token || (*token)->empty()) return request;
    auto position = read_page_token(call.operation, **token);
    if (!position) return fail(position.error().code, position.error().message, "/nextToken");
    request.after = std::move(*position);
    return request;
}

void add_token(const Call& call,
               nlohmann::json& body,
               const char* member,
               const std::optional<std::string>& next) {
    if (next) body[member] = make_page_token(call.operation, *next);
}

Result<CertificateId> certificate_label(const Call& call, std::string_view name) {
    auto id = CertificateId::parse(call.labels[0]);
    if (!id) {
        return fail(Code::InvalidRequest,
                    "expected 64 hexadecimal characters, found '" + call.labels[0] + "'",
                    std::string(name));
    }
    return id;
}

Result<CertificateId> certificate_principal(const Call& call, std::string_view arn) {
    auto id = CertificateId::parse(registry::name_from_arn(call.account(), "cert", arn));
    if (!id) {
        return fail(Code::InvalidRequest,
                    "expected a certificate's ARN (" + call.arn("cert", "<64 hexadecimal digits>") +
                        "), found '" + std::string(arn) + "'",
                    "principal");
    }
    return id;
}

Result<int> version_number(std::string_view text, std::string_view where) {
    const auto number = parse_integer(text);
    if (!number || *number < 1 || *number > 1'000'000'000) {
        return fail(Code::InvalidRequest,
                    "expected a version id (1, 2, …), found '" + std::string(text) + "'",
                    std::string(where));
    }
    return static_cast<int>(*number);
}

Result<registry::Tags> read_tags(const Input& input) {
    registry::Tags tags;
    auto items = input.objects("tags");
    if (!items) return std::move(items).error();
    for (const auto& item : *items) {
        auto key = item.text("Key");
        if (!key) return std::move(key).error();
        auto value = item.optional_text("Value");
        if (!value) return std::move(value).error();
        if (!tags.emplace(*key, value->value_or("")).second) {
            return fail(
                Code::InvalidRequest, "expected each key once, found '" + *key + "'", "/tags");
        }
    }
    if (auto good = registry::check_tags(tags); !good) return std::move(good).error();
    return tags;
}

Result<std::string> name_or_arn(const Call& call,
                                std::string_view name_member,
                                std::string_view arn_member,
                                std::string_view arn_type) {
    auto name = call.input.optional_text(name_member);
    if (!name) return std::move(name).error();
    if (*name) return std::move(**name);
    auto arn = call.input.optional_text(arn_member);
    if (!arn) return std::move(arn).error();
    if (!*arn) {
        return fail(Code::InvalidRequest,
                    "expected " + std::string(name_member) + " or " + std::string(arn_member),
                    "/" + std::string(name_member));
    }
    std::string found(registry::name_from_arn(call.account(), arn_type, **arn));
    if (!found.empty()) return found;
    return fail(
        Code::InvalidRequest,
        "expected an ARN of the form " + call.arn(arn_type, "NAME") + ", found '" + **arn + "'",
        "/" + std::string(arn_member));
}

Result<std::string> empty_answer(Result<> done) {
    if (!done) return std::move(done).error();
    return std::string("{}");
}

std::int64_t epoch(Time time) {
    return time.time_since_epoch().count();
}

std::string to_body(const nlohmann::json& body) {
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hatchery::api
