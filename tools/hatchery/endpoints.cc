#include "tools/hatchery/endpoints.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::command {

namespace {

bool is_every_address(std::string_view host) {
    return host == "0.0.0.0" || host == "::";
}

std::string shell_quoted(std::string_view value) {
    std::string quoted = "'";
    for (const char c : value) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

}  // namespace

Ports configured_ports(const Config& config) {
    return {config.mqtt.port, config.https.port, config.control_plane.port, config.status.port};
}

std::string control_plane_url(const Config& config, int port) {
    const auto& front = config.control_plane;
    std::string host = is_every_address(front.host) ? config.server.host : front.host;
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return (front.tls ? "https://" : "http://") + host + ":" + std::to_string(port);
}

std::string ports_json(const Config& config, const Ports& ports, std::int64_t pid) {
    nlohmann::ordered_json json;
    json["mqtt"] = ports.mqtt;
    json["https"] = ports.https;
    json["controlPlane"] = ports.control_plane;
    json["status"] = ports.status;
    json["endpoint"] = control_plane_url(config, ports.control_plane);
    json["pid"] = pid;
    return json.dump() + "\n";
}

Result<Ports> parse_ports_json(std::string_view text, std::string_view source) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const auto port = [&](const char* key) {
        const bool is_there = json.is_object() && json.contains(key);
        return is_there && json[key].is_number_integer() ? json[key].get<int>() : 0;
    };
    const Ports ports{port("mqtt"), port("https"), port("controlPlane"), port("status")};
    if (ports.mqtt <= 0 || ports.https <= 0 || ports.control_plane <= 0 || ports.status <= 0) {
        return fail(Code::Unavailable,
                    "expected the running server's ports, found something else",
                    std::string(source));
    }
    return ports;
}

Environment environment_of(const Layout& layout,
                           const Config& config,
                           const Ports& ports,
                           const Credentials& credentials) {
    return {
        {"HATCHERY_ENDPOINT", control_plane_url(config, ports.control_plane)},
        {"HATCHERY_MQTT_HOST", config.server.host},
        {"HATCHERY_MQTT_PORT", std::to_string(ports.mqtt)},
        {"HATCHERY_HTTPS_PORT", std::to_string(ports.https)},
        {"HATCHERY_SERVER_CA", layout.root_certificate().string()},
        {"AWS_ACCESS_KEY_ID", credentials.id},
        {"AWS_SECRET_ACCESS_KEY", std::string(credentials.secret.text())},
        {"AWS_DEFAULT_REGION", config.account.region},
        {"HATCHERY_ACCOUNT", config.account.id},
    };
}

std::string to_json(const Environment& environment) {
    nlohmann::ordered_json json;
    for (const auto& [name, value] : environment)
        json[name] = value;
    // A path need not be UTF-8; a replacement character is better than no answer.
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string to_shell(const Environment& environment) {
    std::string text;
    for (const auto& [name, value] : environment)
        text += "export " + name + "=" + shell_quoted(value) + "\n";
    return text;
}

std::string shell_word(std::string_view text) {
    const bool is_plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("/._-+:@%").find(c) != std::string_view::npos;
    });
    return is_plain ? std::string(text) : shell_quoted(text);
}

}  // namespace hatchery::command
