#include "provisioning/rule_actions/web.h"

#include "provisioning/rule_actions/deliver.h"

#include <httplib.h>

#include <algorithm>

namespace hatchery::rule_actions {

namespace {

constexpr std::string_view kHeaderMember = "header:";
constexpr std::size_t kMaxWebAnswer = 65'536;

struct WebPlace {
    std::string origin;  ///< "https://host:port"
    std::string path;
};

Result<WebPlace> place_of(const std::string& url) {
    const auto scheme = url.find("://");
    const bool is_http = url.starts_with("http://") || url.starts_with("https://");
    const bool is_plain =
        std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F; });
    const auto slash = is_http ? url.find('/', scheme + 3) : 0;
    if (!is_http || !is_plain || slash == scheme + 3 || url.size() == scheme + 3) {
        return fail(Code::InvalidRequest,
                    "expected http://HOST/… or https://HOST/…, found \"" + url + "\"");
    }
    return WebPlace{url.substr(0, slash), slash == std::string::npos ? "/" : url.substr(slash)};
}

}  // namespace

Result<std::string> host_of(const std::string& url) {
    const auto place = place_of(url);
    if (!place) return place.error();
    std::string host = place->origin.substr(place->origin.find("://") + 3);
    for (const auto& [scheme, port] :
         {std::pair("http://", ":80"), std::pair("https://", ":443")}) {
        if (url.starts_with(scheme) && host.ends_with(port))
            host.resize(host.size() - std::string_view(port).size());
    }
    return host;
}

Result<> send_web(const WebRequest& wanted, std::chrono::seconds timeout) {
    const auto place = place_of(wanted.url);
    if (!place) return place.error();
    try {
        httplib::Client client(place->origin);
        client.set_connection_timeout(timeout);
        client.set_read_timeout(timeout);
        client.set_write_timeout(timeout);
        client.set_follow_location(false);
        client.enable_server_certificate_verification(true);
        if (!wanted.ca_file.empty()) client.set_ca_cert_path(wanted.ca_file.c_str());
        httplib::Request request;
        request.method = wanted.method;
        request.path = place->path;
        request.body = std::string(text_of(wanted.body));
        for (const auto& [name, value] : wanted.headers)
            request.headers.emplace(name, value);
        std::size_t received = 0;
        request.content_receiver =
            [&](const char*, std::size_t size, std::uint64_t, std::uint64_t) {
                received += size;
                return received <= kMaxWebAnswer;
            };
        const auto answer = client.send(request);
        if (!answer) {
            return fail(Code::Unavailable, "no answer: " + httplib::to_string(answer.error()));
        }
        if (answer->status >= 200 && answer->status < 300) return {};
        return fail(Code::Unavailable,
                    "expected a status of 200 to 299, found " + std::to_string(answer->status));
    } catch (const std::exception& error) {
        return fail(Code::Unavailable, std::string("no answer: ") + error.what());
    }
}

Result<> deliver_http(const Delivery& delivery, std::chrono::seconds timeout) {
    WebRequest request{"POST", delivery.text("url"), {}, delivery.payload};
    request.headers.emplace("Content-Type", "application/octet-stream");
    for (const auto& [member, value] : delivery.target) {
        if (!member.starts_with(kHeaderMember)) continue;
        // A device's text in a header must not begin another one.
        const bool is_line = std::all_of(value.begin(), value.end(), [](char c) {
            return static_cast<unsigned char>(c) >= ' ' && c != 0x7F;
        });
        const std::string name = member.substr(kHeaderMember.size());
        if (!is_line) {
            return fail(Code::InvalidRequest, "expected one line in the header " + name);
        }
        request.headers.insert_or_assign(name, value);
    }
    return send_web(request, timeout);
}

}  // namespace hatchery::rule_actions
