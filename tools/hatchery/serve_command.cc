// hatchery serve: every front in one process, until it is told to stop.
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/logging.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"
#include "tools/hatchery/serve_lock.h"
#include "tools/hatchery/server.h"
#include "tools/hatchery/stop_signal.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

constexpr int kHighestPortBase = 65532;  // four ports from there

struct ServeOptions {
    DataOptions data;
    std::optional<int> port_base;
    std::string ready_file;
    std::string host;
};

Config configured(Config config, const ServeOptions& options) {
    if (options.port_base) {
        const int base = *options.port_base;
        config.mqtt.port = base;
        config.https.port = base == 0 ? 0 : base + 1;
        config.control_plane.port = base == 0 ? 0 : base + 2;
        config.status.port = base == 0 ? 0 : base + 3;
    }
    if (!options.host.empty()) {
        config.mqtt.host = options.host;
        config.https.host = options.host;
        config.status.host = options.host;
    }
    return config;
}

/// A device takes two descriptors, its own and its upstream one: as many as we may have.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Files that say where a running server is reached; gone when it stops, stale ones too.
class Announcement {
  public:
    explicit Announcement(std::vector<fs::path> files) : files_(std::move(files)) { withdraw(); }
    ~Announcement() { withdraw(); }
    Announcement(const Announcement&) = delete;
    Announcement& operator=(const Announcement&) = delete;

    Result<> announce(const std::string& text) const {
        for (const auto& file : files_) {
            auto written = write_file(file, text, kPublic, Existing::Replace);
            if (!written) return written;
        }
        return {};
    }
    void withdraw() const {
        std::error_code ignored;
        for (const auto& file : files_)
            fs::remove(file, ignored);
    }

  private:
    std::vector<fs::path> files_;
};

Result<> serve_until_stopped(const DataDirectory& data,
                             const Config& config,
                             const ServeOptions& options,
                             const Secret& passphrase) {
    auto stop = StopSignal::install();
    if (!stop) return std::move(stop).error();
    const auto log = spdlog::get("serve");
    std::vector<fs::path> files{data.layout().ports()};
    if (!options.ready_file.empty()) files.emplace_back(options.ready_file);
    const Announcement announcement(std::move(files));
    auto server = Server::start(data, config, passphrase);
    if (!server) return std::move(server).error();
    const Ports ports = (*server)->ports();
    auto announced = announcement.announce(ports_json(config, ports, ::getpid()));
    if (!announced) return announced;
    log->info("ready mqtt={}:{} https={}:{} control_plane={} status={} directory=\"{}\"",
              config.mqtt.host,
              ports.mqtt,
              config.https.host,
              ports.https,
              control_plane_url(config, ports.control_plane),
              ports.status,
              data.layout().root.string());
    log->info("stopping signal={}", stop->wait());
    announcement.withdraw();
    server->reset();
    log->info("stopped");
    return {};
}

Result<> run_serve(const ServeOptions& options) {
    if (!options.host.empty()) {
        if (auto checked = check_host(options.host); !checked) {
            return could_not_run(fail(Code::InvalidRequest, checked.error().message, "--host"));
        }
    }
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto lock = ServeLock::take(data->layout());
    if (!lock) return std::move(lock).error();
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    const Config config = configured(data->config(), options);
    set_up_logging(config.log);
    raise_descriptor_limit();
    return serve_until_stopped(*data, config, options, *passphrase);
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("serve", "Run the control plane, gateway and factory line");
    auto options = std::make_shared<ServeOptions>();
    add_data_argument(*command, options->data);
    command
        ->add_option("--port-base",
                     options->port_base,
                     "MQTT on N, HTTPS on N+1, control plane on N+2, CRLs and OCSP on N+3; 0: any "
                     "free ports "
                     "(default: those of hatchery.toml)")
        ->check(CLI::Range(0, kHighestPortBase));
    command->add_option("--ready-file",
                        options->ready_file,
                        "File to write once every front accepts: JSON with the real ports");
    command->add_option("--host",
                        options->host,
                        "Address on which MQTT and HTTPS listen (default: hatchery.toml's)");
    add_passphrase_option(*command, options->data);
    command->footer(
        "Example:\n  hatchery serve demo --port-base 0 --ready-file ready.json\n\n"
        "Runs until SIGTERM or SIGINT, finishes what it accepted, and ends with exit code 0. A\n"
        "second signal ends it at once. The log goes to standard error.");
    on_run(*command, exit_code, [options] { return run_serve(*options); });
}

}  // namespace hatchery::command
