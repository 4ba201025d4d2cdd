// Payloads of the provisioning API as plain members: JSON or CBOR, bounded before they are parsed.
#pragma once

#include "ca/base/bytes.h"
#include "ca/base/secret.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hatchery::flows {

enum class Encoding { Json, Cbor };

/// What requests of this API may carry; unknown members are ignored.
struct RequestMembers {
    std::optional<std::string> certificate_signing_request;
    std::optional<std::string> certificate_ownership_token;
    std::map<std::string, std::string> parameters;
};

inline constexpr std::size_t kMaxPayloadBytes = 131'072;  // AWS IoT message size
inline constexpr std::size_t kMaxPayloadDepth = 16;

/// @errors InvalidRequest  `where` = "payload": too large or deep, not well-formed, no map, a text
/// that is not UTF-8; or a JSON pointer: a member of the wrong type, a parameter name over 2,048 or
/// value over 4,096 characters
Result<RequestMembers> read_request(ByteView payload, Encoding encoding);

/// A member of an answer, in order.
struct AnswerMember {
    std::string name;
    std::string text;  ///< when neither of the others is set
    std::optional<int> number;
    std::optional<std::map<std::string, std::string>> map;
};
/// Wipes the texts of `members` after use: one may be a private key.
std::string write_answer(std::vector<AnswerMember> members, Encoding encoding);

/// Is `payload` one well-formed CBOR item (RFC 8949) no deeper than `max_depth`? Checked without
/// recursion, before the library's recursive parser sees it.
bool is_bounded_cbor(ByteView payload, std::size_t max_depth);
/// Is no bracket of the JSON text nested deeper than `max_depth`? Says nothing else of it.
bool is_bounded_json(std::string_view text, std::size_t max_depth);

}  // namespace hatchery::flows
