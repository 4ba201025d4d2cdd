#include "tools/hatchery/config.h"

#include "ca/base/toml_guard.h"
#include "tools/hatchery/table_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace hatchery::command {

namespace {

constexpr std::int64_t kMaxPort = 65535;

bool all_of(std::string_view text, std::string_view punctuation) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               punctuation.find(c) != std::string_view::npos;
    });
}

Result<> check_upstream(std::string_view upstream) {
    if (upstream.empty()) return {};
    if (upstream.starts_with("unix:") && upstream.size() > 5) return {};
    const std::size_t colon = upstream.rfind(':');
    if (colon != std::string_view::npos && colon > 0) {
        const std::string_view digits = upstream.substr(colon + 1);
        int port = 0;
        const auto [end, problem] =
            std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (problem == std::errc{} && end == digits.data() + digits.size() && port > 0 &&
            port <= kMaxPort && check_host(upstream.substr(0, colon))) {
            return {};
        }
    }
    return fail(
        Code::InvalidRequest,
        "expected \"\", \"HOST:PORT\" or \"unix:PATH\", found \"" + std::string(upstream) + "\"");
}

Result<> check_not_empty(std::string_view text) {
    if (!text.empty()) return {};
    return fail(Code::InvalidRequest, "expected a value, found an empty string");
}

Result<> read_account(TableReader reader, Config& config) {
    reader.text("id", config.account.id, check_account_id);
    reader.text("region", config.account.region, check_region);
    return reader.finish();
}

Result<> read_server(TableReader reader, Config& config) {
    reader.text("host", config.server.host, check_host);
    return reader.finish();
}

Result<> read_control_plane(TableReader reader, Config& config) {
    auto& out = config.control_plane;
    reader.text("host", out.host, check_host);
    reader.integer("port", out.port, 0, kMaxPort);
    reader.boolean("tls", out.tls);
    reader.boolean("plain_http", out.plain_http);
    // Whoever listens on the way would see every request, and signatures do not hide bodies.
    if (!out.tls && !out.plain_http && !is_loopback(out.host)) {
        reader.refuse("host",
                      "host: expected a loopback address while tls = false, found \"" + out.host +
                          "\"; set tls = true to serve other machines");
    }
    return reader.finish();
}

Result<> read_mqtt(TableReader reader, Config& config) {
    auto& out = config.mqtt;
    reader.text("host", out.host, check_host);
    reader.integer("port", out.port, 0, kMaxPort);
    reader.choice("first_connect",
                  out.first_connect,
                  {{"accept", FirstConnect::Accept}, {"close", FirstConnect::Close}});
    // The upper end is MQTT's own limit (3.1.1, section 2.2.3).
    reader.integer("max_packet_bytes", out.max_packet_bytes, 1024, 268'435'455);
    reader.integer("alpn_port", out.alpn_port, 0, kMaxPort);
    return reader.finish();
}

Result<> read_limits(TableReader reader, Config& config) {
    constexpr std::int64_t kMany = 1'000'000;
    auto& out = config.limits;
    reader.integer("subscriptions", out.subscriptions, 1, kMany);
    reader.integer("filters_a_packet", out.filters_a_packet, 1, kMany);
    reader.integer("topic_bytes", out.topic_bytes, 1, 65'535);
    reader.integer("topic_levels", out.topic_levels, 1, 65'535);
    reader.integer("inflight", out.inflight, 1, 65'535);
    reader.integer("buffered_bytes", out.buffered_bytes, 4096, 1LL << 30);
    reader.duration("stall", out.stall);
    reader.duration("connect", out.connect);
    reader.integer("unauthenticated", out.unauthenticated, 1, kMany);
    reader.integer("connects_a_second", out.connects_a_second, 0, kMany);
    return reader.finish();
}

Result<> read_https(TableReader reader, Config& config) {
    reader.text("host", config.https.host, check_host);
    reader.integer("port", config.https.port, 0, kMaxPort);
    return reader.finish();
}

Result<> check_status_url(std::string_view url) {
    constexpr std::string_view scheme = "http://";
    const bool is_url = url.starts_with(scheme) && url.size() > scheme.size() &&
                        url.size() <= 200 && !url.ends_with('/') && all_of(url, ":/.-_[]");
    if (url.empty() || is_url) return {};
    // RFC 5280 8: a client that must check a TLS certificate to get the list would wait for itself.
    return fail(Code::InvalidRequest,
                "expected a URL such as http://pki.example.com without a slash at the end, found "
                "\"" +
                    std::string(url) + "\"");
}

Result<> read_status(TableReader reader, Config& config) {
    auto& out = config.status;
    reader.text("host", out.host, check_host);
    reader.integer("port", out.port, 0, kMaxPort);
    reader.text("url", out.url, check_status_url);
    reader.duration("crl_lifetime", out.crl_lifetime);
    return reader.finish();
}

Result<> read_broker(TableReader reader, Config& config) {
    reader.text("upstream", config.broker.upstream, check_upstream);
    reader.text("executable", config.broker.executable, check_not_empty);
    return reader.finish();
}

Result<> read_provisioning(TableReader reader, Config& config) {
    auto& out = config.provisioning;
    using Source = templates::SerialNumberSource;
    reader.choice("serial_number_source",
                  out.serial_number_source,
                  {{"auto", Source::Auto},
                   {"certificate", Source::Certificate},
                   {"subject", Source::Subject}});
    reader.choice("device_key",
                  out.device_key,
                  {{"rsa2048", ca::KeyKind::Rsa2048}, {"p256", ca::KeyKind::P256}});
    reader.duration("ownership_token_lifetime", out.ownership_token_lifetime);
    reader.text("escrow", out.escrow);
    return reader.finish();
}

Result<> check_base_url(std::string_view url) {
    constexpr std::string_view kScheme = "https://";
    if (url.empty()) return {};
    const bool is_good = url.starts_with(kScheme) && url.size() > kScheme.size() &&
                         url.find('/', kScheme.size()) == std::string_view::npos;
    if (is_good) return {};
    return fail(Code::InvalidRequest, "expected https://HOST or https://HOST:PORT");
}

Result<> read_files(TableReader reader, Config& config) {
    reader.integer("max_megabytes", config.files.max_megabytes, 1, 1'000'000);
    reader.text("url", config.files.url, check_base_url);
    return reader.finish();
}

Result<> read_bulk(TableReader reader, Config& config) {
    reader.text_table("buckets", config.buckets);
    reader.integer("keep_days", config.keep_registrations_days, 1, 36'500);
    return reader.finish();
}

Result<> check_webhook(std::string_view url) {
    if (url.empty() || url.starts_with("http://") || url.starts_with("https://")) return {};
    return fail(Code::InvalidRequest, "expected an http or https URL");
}

Result<> read_audit(TableReader reader, Config& config) {
    reader.text("webhook", config.audit.webhook, check_webhook);
    return reader.finish();
}

Result<> read_log(TableReader reader, Config& config) {
    using Level = std::string;
    reader.choice("level",
                  config.log.level,
                  {{"debug", Level("debug")},
                   {"info", Level("info")},
                   {"warning", Level("warning")},
                   {"error", Level("error")}});
    reader.choice(
        "format", config.log.format, {{"text", LogFormat::Text}, {"json", LogFormat::Json}});
    return reader.finish();
}

/// One address or several, by commas: what may stand in a header and between < and >.
Result<> check_addresses(std::string_view text) {
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
        return c >= ' ' && c < 0x7F && c != '<' && c != '>' && c != '"';
    });
    if (is_plain && text.find('@') != std::string_view::npos) return {};
    return fail(Code::InvalidRequest,
                "expected e-mail addresses, found \"" + std::string(text) + "\"");
}

Result<> read_topic_rules(TableReader reader, Config& config) {
    auto& out = config.rules;
    reader.text("folder", out.folder, check_not_empty);
    reader.integer("attempts", out.attempts, 1, 100);
    reader.text("s3_endpoint", out.s3_endpoint, check_not_empty);
    reader.text("s3_region", out.s3_region, check_region);
    reader.text("s3_access_key_id", out.s3_access_key_id, check_not_empty);
    reader.text("s3_secret_file", out.s3_secret_file, check_not_empty);
    reader.text("s3_ca_file", out.s3_ca_file, check_not_empty);
    reader.text("smtp_host", out.smtp_host, check_host);
    reader.integer("smtp_port", out.smtp_port, 1, 65'535);
    reader.text("mail_from", out.mail_from, check_addresses);
    reader.text_table("mail", out.mail);
    for (const auto& [topic, addresses] : out.mail) {
        if (auto checked = check_addresses(addresses); !checked) {
            reader.refuse("mail", "mail." + topic + ": " + checked.error().message);
        }
    }
    return reader.finish();
}

Result<> read_hook(TableReader reader, hooks::HookConfig& out) {
    reader.text("kind", out.kind, check_not_empty);
    reader.text("parameter", out.parameter, check_not_empty);
    reader.texts("serial_numbers", out.serial_numbers);
    reader.texts("prefixes", out.prefixes);
    reader.text("file", out.file, check_not_empty);
    reader.text("list", out.list, check_not_empty);
    reader.boolean("single_use", out.single_use);
    reader.text("rules", out.rules, check_not_empty);
    reader.texts("command", out.command);
    reader.text("handler", out.handler, check_not_empty);
    reader.text("interpreter", out.interpreter, check_not_empty);
    reader.text_table("environment", out.environment);
    reader.text("url", out.url, check_not_empty);
    reader.text("ca_file", out.ca_file, check_not_empty);
    reader.text("bearer_file", out.bearer_file, check_not_empty);
    reader.text("hmac_file", out.hmac_file, check_not_empty);
    reader.text("library", out.library, check_not_empty);
    reader.text("configuration", out.configuration);
    reader.texts("hooks", out.hooks);
    reader.integer("workers", out.workers, 1, 64);
    reader.integer("queue", out.queue, 0, 10'000);
    auto timeout_ms = static_cast<int>(out.timeout.count());
    reader.integer("timeout_ms", timeout_ms, 1, 5000);  // AWS's limit of a hook
    out.timeout = std::chrono::milliseconds(timeout_ms);
    if (out.kind.empty()) {
        reader.refuse("kind",
                      "[hooks." + out.name +
                          "]: expected kind = \"allow-list\", \"rules\", \"command\", "
                          "\"lambda\", \"http\", \"library\" or \"chain\"");
    }
    return reader.finish();
}

Result<> read_hooks(const toml::table& hooks, std::string_view source, Config& config) {
    for (const auto& [key, value] : hooks) {
        const std::string name(key.str());
        if (!value.is_table()) {
            return fail(
                Code::InvalidRequest,
                "hooks." + name + ": expected a table, found " + std::string(type_name(value)),
                place(source, value.source()));
        }
        hooks::HookConfig hook;
        hook.name = name;
        if (auto read = read_hook({*value.as_table(), "hooks." + name, source}, hook); !read) {
            return read;
        }
        config.hooks.push_back(std::move(hook));
    }
    return {};
}

Result<Config> read_document(const toml::table& document, std::string_view source) {
    struct Section {
        std::string_view name;
        Result<> (*read)(TableReader, Config&);
    };
    static constexpr Section sections[] = {{"account", read_account},
                                           {"server", read_server},
                                           {"control_plane", read_control_plane},
                                           {"mqtt", read_mqtt},
                                           {"limits", read_limits},
                                           {"https", read_https},
                                           {"status", read_status},
                                           {"broker", read_broker},
                                           {"provisioning", read_provisioning},
                                           {"bulk", read_bulk},
                                           {"files", read_files},
                                           {"audit", read_audit},
                                           {"log", read_log},
                                           {"rules", read_topic_rules}};
    Config config;
    TableReader top(document, "", source);
    for (const auto& section : sections) {
        const toml::table* table = top.table(section.name);
        if (table == nullptr) continue;
        if (auto read = section.read({*table, std::string(section.name), source}, config); !read) {
            return std::move(read).error();
        }
    }
    const toml::table* hooks = top.table("hooks");
    if (auto read = top.finish(); !read) return std::move(read).error();
    if (hooks != nullptr) {
        if (auto read = read_hooks(*hooks, source, config); !read) return std::move(read).error();
    }
    return config;
}

}  // namespace

Result<Config> parse_config(std::string_view toml, std::string_view source) {
    if (const auto at = find_unreadable_toml(toml); at) {
        return fail(Code::InvalidRequest, std::string(kReadableToml), place_in(source, *at));
    }
    try {
        return read_document(toml::parse(toml), source);
    } catch (const toml::parse_error& error) {
        return fail(
            Code::InvalidRequest, std::string(error.description()), place(source, error.source()));
    }
}

Result<> check_account_id(std::string_view id) {
    const bool digits =
        std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (id.size() == 12 && digits) return {};
    return fail(Code::InvalidRequest, "expected 12 digits, found \"" + std::string(id) + "\"");
}

Result<> check_region(std::string_view region) {
    if (!region.empty() && region.size() <= 32 && all_of(region, "-")) return {};
    return fail(Code::InvalidRequest,
                "expected a region such as us-east-1, found \"" + std::string(region) + "\"");
}

Result<> check_host(std::string_view host) {
    if (!host.empty() && host.size() <= 253 && all_of(host, ".:-")) return {};
    return fail(Code::InvalidRequest,
                "expected a host name or an IP address, found \"" + std::string(host) + "\"");
}

std::string status_url(const Config& config) {
    if (!config.status.url.empty()) return config.status.url;
    std::string host = config.server.host;
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    return "http://" + host + ":" + std::to_string(config.status.port);
}

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1") return true;
    // 127.0.0.0/8 in its four-part form only: a name such as 127.example.org is somebody else.
    return host.starts_with("127.") && std::count(host.begin(), host.end(), '.') == 3 &&
           std::all_of(
               host.begin(), host.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

Result<std::chrono::seconds> parse_duration(std::string_view text) {
    constexpr std::chrono::seconds most = std::chrono::days(366);
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, count);
    const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
    std::int64_t seconds = 0;
    if (unit == "s") seconds = 1;
    if (unit == "m") seconds = 60;
    if (unit == "h") seconds = 3600;
    if (unit == "d") seconds = 86400;
    const bool fits =
        problem == std::errc{} && seconds > 0 && count > 0 && count <= most.count() / seconds;
    if (!fits) {
        return fail(Code::InvalidRequest,
                    "expected a duration such as 90s, 15m, 1h or 7d (366d at most), found \"" +
                        std::string(text) + "\"");
    }
    return std::chrono::seconds(count * seconds);
}

}  // namespace hatchery::command
