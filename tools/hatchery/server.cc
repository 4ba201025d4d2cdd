#include "tools/hatchery/server.h"

#include "provisioning/api/server.h"
#include "provisioning/audit/auditor.h"
#include "provisioning/enroll/server.h"
#include "provisioning/enroll/status_server.h"
#include "provisioning/files/links.h"
#include "provisioning/flows/bulk_desk.h"
#include "provisioning/flows/key_pool.h"
#include "provisioning/flows/reservations.h"
#include "provisioning/flows/service.h"
#include "provisioning/flows/trace.h"
#include "provisioning/gateway/gateway.h"
#include "provisioning/rule_actions/engine.h"
#include "tools/hatchery/audit_surroundings.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/file_links.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/offline_service.h"
#include "tools/hatchery/timers.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kKeysAhead = 32;  // of CreateKeysAndCertificate: a burst of claims

/// What `mail` of hatchery.toml says, by address.
std::vector<std::string> addresses_of(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
        std::erase(word, ' ');
        if (!word.empty()) all.push_back(std::move(word));
    }
    return all;
}

Result<rule_actions::Options> rule_options(const Config::Rules& rules) {
    rule_actions::Options options;
    options.folder = rules.folder;
    options.attempts = rules.attempts;
    options.s3.endpoint = rules.s3_endpoint;
    while (options.s3.endpoint.ends_with('/'))
        options.s3.endpoint.pop_back();
    options.s3.region = rules.s3_region;
    options.s3.access_key_id = rules.s3_access_key_id;
    options.s3.ca_file = rules.s3_ca_file;
    if (!rules.s3_secret_file.empty()) {
        auto text = read_file(rules.s3_secret_file);
        if (!text) return std::move(text).error();
        text->resize(std::min(text->find_first_of("\r\n"), text->size()));
        options.s3.secret_access_key = Secret::take(*text);
    }
    options.smtp = {rules.smtp_host, rules.smtp_port, rules.mail_from};
    for (const auto& [topic, addresses] : rules.mail)
        options.mail.emplace(topic, addresses_of(addresses));
    return options;
}

/// What the service is made of, opened.
struct Parts {
    Profiles profiles;
    ca::Issuer issuer;
    std::vector<ca::Issuer> earlier_issuers;
    ca::WrapKey wrap;
    ServerIdentity identity;
    std::string escrow_recipient;
    audit::Surroundings audit_surroundings;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<flows::RegistryLists> lists;  ///< in `store`, for `hooks`
    hooks::HookSet hooks;
};

Result<Parts> open_parts(const DataDirectory& data,
                         const Config& config,
                         const Secret& passphrase) {
    auto profiles = data.profiles();
    if (!profiles) return std::move(profiles).error();
    auto issuer = data.issuing_ca(passphrase);
    if (!issuer) return std::move(issuer).error();
    auto earlier = data.earlier_issuing_cas(passphrase);
    if (!earlier) return std::move(earlier).error();
    auto wrap = data.wrap_key(passphrase);
    if (!wrap) return std::move(wrap).error();
    auto identity = data.server_identity(passphrase);
    if (!identity) return std::move(identity).error();
    auto escrow_recipient = data.escrow_recipient();
    if (!escrow_recipient) return std::move(escrow_recipient).error();
    auto surroundings = audit_surroundings(data);
    if (!surroundings) return std::move(surroundings).error();
    auto store = data.open_store();
    if (!store) return std::move(store).error();
    auto lists = std::make_unique<flows::RegistryLists>(**store);
    auto hooks = hooks::HookSet::make(config.hooks, {lists.get()});
    if (!hooks) {
        Error error = could_not_run(std::move(hooks).error());
        error.where = data.layout().config().string() + ": " + error.where;
        return error;
    }
    return Parts{std::move(*profiles),
                 std::move(*issuer),
                 std::move(*earlier),
                 std::move(*wrap),
                 std::move(*identity),
                 std::move(*escrow_recipient),
                 std::move(*surroundings),
                 std::move(*store),
                 std::move(lists),
                 std::move(*hooks)};
}

flows::BulkPlaces bulk_places(const Layout& layout, const Config& config) {
    flows::BulkPlaces places{{}, layout.registration_reports()};
    for (const auto& [name, folder] : config.buckets)
        places.buckets.emplace(name, layout.root / folder);
    return places;
}

class RunningServer : public Server {
  public:
    RunningServer(Parts parts, const Config& config)
        : parts_(std::move(parts)),
          config_(config),
          ledger_(*parts_.store),
          key_pool_(config.provisioning.device_key, kKeysAhead),
          traces_(*parts_.store),
          service_{*parts_.store,
                   parts_.issuer,
                   ledger_,
                   parts_.profiles,
                   parts_.hooks,
                   compiled_,
                   flow_settings(config),
                   &key_pool_,
                   &traces_,
                   nullptr},
          housekeeper_([this] { return keep_house(service_); }),
          auditor_(*parts_.store,
                   config.account,
                   {.webhook = config.audit.webhook, .surroundings = parts_.audit_surroundings}) {
        service_.settings.escrow_recipient = parts_.escrow_recipient;
        for (const auto& earlier : parts_.earlier_issuers)
            service_.earlier_issuers.push_back(&earlier);
    }

    Result<> start_fronts(const Layout& layout) {
        bulk_ = std::make_unique<flows::BulkDesk>(service_, bulk_places(layout, config_));
        service_.bulk = bulk_.get();
        auto options = rule_options(config_.rules);
        if (!options) return std::move(options).error();
        auto rules = rule_actions::Engine::start(*parts_.store, std::move(*options));
        if (!rules) return std::move(rules).error();
        rules_ = std::move(*rules);
        service_.rules = rules_.get();
        if (auto opened = open_files(layout); !opened) return opened;
        if (auto started = start_gateway(layout); !started) return started;
        if (auto started = start_enroll(); !started) return started;
        if (auto started = start_status(); !started) return started;
        if (auto started = start_api(); !started) return started;
        job_clock_ = std::make_unique<Timer>([this] { return keep_jobs_going(service_); });
        return {};
    }

    Ports ports() const override {
        return {gateway_->port(), enroll_->port(), api_->port(), status_->port()};
    }

  private:
    /// The upstream broker's address; starts a broker of our own if none is configured.
    Result<std::string> upstream(const Layout& layout) {
        if (!config_.broker.upstream.empty()) return config_.broker.upstream;
        auto executable = find_executable(config_.broker.executable);
        if (!executable) return std::move(executable).error();
        auto broker = gateway::Broker::start(*executable, layout.run());
        if (!broker) return std::move(broker).error();
        broker_ = std::move(*broker);
        return broker_->upstream();
    }

    Result<> start_gateway(const Layout& layout) {
        auto address = upstream(layout);
        if (!address) return std::move(address).error();
        gateway::Options options{
            .host = config_.mqtt.host,
            .port = config_.mqtt.port,
            .tls_certificate_chain_pem = parts_.identity.certificate_chain_pem,
            .tls_key = parts_.identity.key,
            .upstream = std::move(*address),
            .close_after_provisioning = config_.mqtt.first_connect == FirstConnect::Close,
            .alpn_port =
                config_.mqtt.alpn_port > 0 ? std::optional(config_.mqtt.alpn_port) : std::nullopt,
            .max_packet_bytes = config_.mqtt.max_packet_bytes,
            .connect_timeout = config_.limits.connect,
            .max_subscriptions = config_.limits.subscriptions,
            .max_filters_a_packet = config_.limits.filters_a_packet,
            .max_topic_bytes = config_.limits.topic_bytes,
            .max_topic_levels = config_.limits.topic_levels,
            .max_inflight = config_.limits.inflight,
            .max_buffered_bytes = config_.limits.buffered_bytes,
            .stall_timeout = config_.limits.stall,
            .max_unauthenticated = config_.limits.unauthenticated,
            .max_connects_a_second = config_.limits.connects_a_second,
            .rules = rules_.get()};
        auto gateway = gateway::Gateway::start(service_, std::move(options));
        if (!gateway) return std::move(gateway).error();
        gateway_ = std::move(*gateway);
        service_.messages = &gateway_->messages();
        return {};
    }

    /// Before the fronts, which use it. Where links lead to is known when `enroll` has its port.
    Result<> open_files(const Layout& layout) {
        auto secret = open_link_secret(*parts_.store, parts_.wrap);
        if (!secret) return std::move(secret).error();
        shelf_.emplace(*parts_.store, layout.files());
        links_.emplace(*shelf_, config_.files.url, config_.account.region, std::move(*secret));
        service_.links = &*links_;
        return {};
    }

    Result<> start_enroll() {
        enroll::Options options{.host = config_.https.host,
                                .port = config_.https.port,
                                .tls_certificate_chain_pem = parts_.identity.certificate_chain_pem,
                                .tls_key = parts_.identity.key};
        auto enroll = enroll::Server::start(service_, std::move(options));
        if (!enroll) return std::move(enroll).error();
        enroll_ = std::move(*enroll);
        links_->set_base_url(link_base_url(config_, enroll_->port()));
        return {};
    }

    Result<> start_status() {
        enroll::StatusOptions options;
        options.host = config_.status.host;
        options.port = config_.status.port;
        options.crl_lifetime = config_.status.crl_lifetime;
        for (const ca::Issuer* issuer : all_issuers()) {
            for (const auto& above : issuer->chain())
                options.others.push_back(above);
        }
        auto status = enroll::StatusServer::start(service_, std::move(options));
        if (!status) return std::move(status).error();
        status_ = std::move(*status);
        return {};
    }

    std::vector<const ca::Issuer*> all_issuers() const {
        std::vector<const ca::Issuer*> issuers{&parts_.issuer};
        issuers.insert(
            issuers.end(), service_.earlier_issuers.begin(), service_.earlier_issuers.end());
        return issuers;
    }

    Result<> start_api() {
        api::Options options;
        options.host = config_.control_plane.host;
        options.port = config_.control_plane.port;
        options.allow_plain_http = config_.control_plane.plain_http;
        if (config_.control_plane.tls) {
            options.tls_certificate_chain_pem = parts_.identity.certificate_chain_pem;
            options.tls_key = parts_.identity.key;
        }
        auto api = api::Server::start(service_, parts_.wrap, std::move(options));
        if (!api) return std::move(api).error();
        api_ = std::move(*api);
        return {};
    }

    // Destroyed from the last to the first: jobs, fronts, broker, bulk registrations, housekeeper,
    // …, store.
    Parts parts_;
    Config config_;
    registry::StoreLedger ledger_;
    flows::CompiledCache compiled_;
    flows::KeyPool key_pool_;
    flows::TraceLog traces_;
    std::optional<files::Shelf> shelf_;
    std::optional<files::Links> links_;
    flows::Service service_;
    Timer housekeeper_;
    std::unique_ptr<flows::BulkDesk> bulk_;
    audit::Auditor auditor_;
    std::unique_ptr<rule_actions::Engine> rules_;
    std::unique_ptr<gateway::Broker> broker_;
    std::unique_ptr<gateway::Gateway> gateway_;
    std::unique_ptr<enroll::Server> enroll_;
    std::unique_ptr<enroll::StatusServer> status_;
    std::unique_ptr<api::Server> api_;
    std::unique_ptr<Timer> job_clock_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const DataDirectory& data,
                                              const Config& config,
                                              const Secret& passphrase) {
    auto parts = open_parts(data, config, passphrase);
    if (!parts) return std::move(parts).error();
    auto server = std::make_unique<RunningServer>(std::move(*parts), config);
    if (auto started = server->start_fronts(data.layout()); !started) {
        return could_not_run(std::move(started).error());
    }
    return std::unique_ptr<Server>(std::move(server));
}

Result<fs::path> find_executable(const std::string& name) {
    if (name.find('/') != std::string::npos) return fs::path(name);
    const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    std::istringstream folders(std::string(path == nullptr ? "" : path) +
                               ":/usr/sbin:/usr/local/sbin");
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (folder.empty()) continue;
        const fs::path candidate = fs::path(folder) / name;
        std::error_code ignored;
        if (fs::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return fail(Code::Unavailable,
                "no " + name +
                    " in PATH, /usr/sbin or /usr/local/sbin: install it, or set broker."
                    "executable or broker.upstream in hatchery.toml");
}

}  // namespace hatchery::command
