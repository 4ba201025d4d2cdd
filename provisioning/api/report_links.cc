#include "provisioning/api/report_links.h"

#include "ca/base/bytes.h"
#include "ca/digest.h"
#include "provisioning/api/target.h"
#include "provisioning/api/wire_error.h"
#include "provisioning/flows/bulk_desk.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace hatchery::api {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::hours kLinkLifetime{1};
constexpr std::string_view kLinkFolder = "registration-reports";

const Bytes& link_key() {
    static const Bytes key = ca::random_bytes(32);
    return key;
}

std::string signature_of(std::string_view task, std::string_view name, std::string_view expires) {
    std::string text;
    text.append(task).append("/").append(name).append("?").append(expires);
    return to_hex(ca::hmac_sha256(link_key(), bytes_of(text)));
}

http::Response refused_link(const Error& error) {
    WireError form = to_wire(error, "GetRegistrationReport");
    http::Response response;
    response.status = form.status;
    response.body = std::move(form.body);
    response.headers.push_back({"x-amzn-ErrorType", std::move(form.exception)});
    return response;
}

std::string query_value(const Target& target, std::string_view name) {
    const auto found =
        std::ranges::find_if(target.query, [&](const auto& pair) { return pair.first == name; });
    return found == target.query.end() ? std::string() : found->second;
}

std::optional<fs::path> report_named(const flows::Service& service,
                                     std::string_view task,
                                     std::string_view name) {
    if (service.bulk == nullptr) return std::nullopt;
    for (const auto type : {flows::ReportType::Results, flows::ReportType::Errors}) {
        for (fs::path& file : service.bulk->report_files(task, type)) {
            if (file.filename() == name) return std::move(file);
        }
    }
    return std::nullopt;
}

}  // namespace

std::string make_report_link(std::string_view task, const fs::path& file, Time now) {
    const std::string name = file.filename().string();
    const std::string expires = std::to_string((now + kLinkLifetime).time_since_epoch().count());
    return "/" + std::string(kLinkFolder) + "/" + std::string(task) + "/" + name +
           "?expires=" + expires + "&signature=" + signature_of(task, name, expires);
}

std::optional<http::Response> answer_report_link(const flows::Service& service,
                                                 const http::Request& request,
                                                 Time now) {
    if (request.method != "GET") return std::nullopt;
    auto target = parse_target(request.target);
    if (!target || target->segments.size() != 3 || target->segments[0] != kLinkFolder) {
        return std::nullopt;
    }
    const std::string& task = target->segments[1];
    const std::string& name = target->segments[2];
    const std::string expires = query_value(*target, "expires");
    const std::string wanted = signature_of(task, name, expires);
    if (!ca::equal_constant_time(bytes_of(wanted), bytes_of(query_value(*target, "signature")))) {
        return refused_link(
            fail(Code::Forbidden, "the link's signature is wrong; list the reports again"));
    }
    std::int64_t until = 0;
    std::from_chars(expires.data(), expires.data() + expires.size(), until);
    if (now.time_since_epoch().count() >= until) {
        return refused_link(fail(Code::Forbidden, "the link has expired; list the reports again"));
    }
    const auto path = report_named(service, task, name);
    std::ifstream file;
    if (path) file.open(*path, std::ios::binary);
    if (!file.is_open())
        return refused_link(fail(Code::NotFound, "the report is not there any more"));
    http::Response response;
    response.content_type = "application/x-ndjson";
    response.body.assign(std::istreambuf_iterator<char>(file), {});
    return response;
}

}  // namespace hatchery::api
