// What an operation's handler gets: the parts of one verified request, and readers for its inputs.
#pragma once

#include "ca/base/certificate_id.h"
#include "ca/base/clock.h"
#include "provisioning/api/input.h"
#include "provisioning/api/sigv4.h"
#include "provisioning/api/target.h"
#include "provisioning/flows/service.h"
#include "provisioning/registry/page.h"
#include "provisioning/registry/tags.h"

#include <nlohmann/json_fwd.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hatchery::api {

/// One request of one operation; views and references live as long as the handler runs.
struct Call {
    flows::Service& service;
    std::string_view operation;  ///< "CreateThing"
    const Target& target;
    std::span<const std::string> labels;  ///< decoded {placeholders} of the pattern, in order
    std::span<const Header> headers;
    Input input;  ///< the body
    std::string_view access_key_id;
    Time now;
    std::string_view body{};  ///< as received; what `input` is made of, but for Publish

    const registry::Account& account() const { return service.settings.account; }
    std::string arn(std::string_view type, std::string_view name) const {
        return account().arn(type, name);
    }
};

/// Answers with the response body, JSON; the status is always 200.
using Handler = Result<std::string> (*)(const Call& call);

/// Header input. @errors InvalidRequest  absent; `where` = its name
Result<std::string> header_input(const Call& call, std::string_view name);
/// "true" or "false" in the query. @errors InvalidRequest  anything else
Result<bool> query_flag(const Call& call, std::string_view name, bool absent);
Result<std::optional<std::int64_t>> query_integer(const Call& call, std::string_view name);
std::optional<std::string> query_text(const Call& call, std::string_view name);

/// maxResults + nextToken. @errors InvalidRequest  not 1-250, or a token of another list
Result<registry::PageRequest> page_by_next_token(const Call& call);
/// pageSize + marker, the certificate-and-policy family.
Result<registry::PageRequest> page_by_marker(const Call& call);
/// maxResults (1 to `most`; `otherwise` if it is not there) and nextToken, of the body.
Result<registry::PageRequest> page_by_body(const Call& call,
                                           std::int64_t most,
                                           std::int64_t otherwise);
/// Adds the token of the next page to `body` as `member`, if there is one.
void add_token(const Call& call,
               nlohmann::json& body,
               const char* member,
               const std::optional<std::string>& next);

/// A certificate id that came as the path label `name`. @errors InvalidRequest
Result<CertificateId> certificate_label(const Call& call, std::string_view name = "certificateId");
/// The certificate of a principal ARN of this account. @errors InvalidRequest  any other principal
Result<CertificateId> certificate_principal(const Call& call, std::string_view arn);
/// A version id: decimal text, 1 or more. @errors InvalidRequest
Result<int> version_number(std::string_view text, std::string_view where);
/// [{Key, Value}] of the body, legal ones. @errors InvalidRequest
Result<registry::Tags> read_tags(const Input& input);

/// A name given by `name_member`, or by an ARN in `arn_member`, of the body.
/// @errors InvalidRequest  neither, or no ARN of `arn_type` in this account
Result<std::string> name_or_arn(const Call& call,
                                std::string_view name_member,
                                std::string_view arn_member,
                                std::string_view arn_type);
/// `{}` when `done` is a success.
Result<std::string> empty_answer(Result<> done);

/// AWS's timestamps: seconds since the epoch, a JSON number.
std::int64_t epoch(Time time);
std::string to_body(const nlohmann::json& body);

}  // namespace hatchery::api
