#include "tools/fleet/device.h"
#include "tools/fleet/station.h"

#include <cstdio>
#include <filesystem>
#include <latch>
#include <optional>
#include <thread>

namespace hatchery::fleet {

namespace {

using Clock = std::chrono::steady_clock;

/// A device as it leaves the factory.
struct Manufactured {
    Identity identity;
    std::string thing;  ///< the thing that its certificate becomes; its client id
};

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Result<Manufactured> manufacture(const Options& options,
                                 Station& station,
                                 const std::string& serial) {
    auto key = ca::PrivateKey::generate(options.key);
    if (!key) return std::move(key).error();
    auto csr = make_csr(*key, options.subject, serial);
    if (!csr) return std::move(csr).error();
    auto chain = with_retries(options, [&] { return station.sign(*csr); });
    if (!chain) return std::move(chain).error();
    auto identity = make_identity(*chain, *std::move(key));
    if (!identity) return std::move(identity).error();
    const auto certificate_serial = identity->chain.front().serial_decimal();
    const auto& thing_serial = options.subject.has_serial_number ? serial : certificate_serial;
    auto thing = fill(options.client_id, "serial", thing_serial);
    thing = fill(std::move(thing), "certificate-serial", certificate_serial);
    return Manufactured{*std::move(identity), std::move(thing)};
}

/// The first connect, until the server accepts; reported at once.
std::optional<MqttClient> first_connect(const Fleet& fleet,
                                        const Manufactured& device,
                                        const std::string& serial) {
    const auto start = Clock::now();
    auto client = with_retries(fleet.options, [&] {
        return MqttClient::connect(fleet.tls,
                                   device.identity,
                                   fleet.options.server,
                                   device.thing,
                                   step_deadline(fleet.options));
    });
    DeviceResult result;
    result.serial = serial;
    result.thing = device.thing;
    result.certificate_id = device.identity.chain.front().id().hex();
    result.ms_first_connect = ms_since(start);
    result.outcome = Outcome::Provisioned;
    if (!client) describe(client.error(), result);
    fleet.report.add(result);
    if (!client) return std::nullopt;
    return *std::move(client);
}

class JitpFlow : public Flow {
  public:
    explicit JitpFlow(const Fleet& fleet)
        : fleet_(fleet), station_(fleet.options.server, fleet.identity, fleet.options.timeout) {}

    void run(std::size_t, const std::string& serial) override {
        auto device = manufacture(fleet_.options, station_, serial);
        if (!device) {
            DeviceResult result;
            result.serial = serial;
            describe(device.error(), result);
            fleet_.report.add(result);
            return;
        }
        auto client = first_connect(fleet_, *device, serial);
        if (!client) return;
        if (!fleet_.options.keep_folder.empty()) {
            auto kept = keep_identity(fleet_.options.keep_folder, device->thing, device->identity);
            if (!kept) fleet_.report.unfinished(serial, to_string(kept.error()));
        }
        publish_telemetry(fleet_, *client, serial, device->thing);
    }

  private:
    const Fleet& fleet_;
    Station station_;
};

using Prepared = std::vector<std::optional<Manufactured>>;

/// The factory's part of a benchmark.
class PrepareFlow : public Flow {
  public:
    PrepareFlow(const Fleet& fleet, Prepared& prepared)
        : fleet_(fleet),
          prepared_(prepared),
          station_(fleet.options.server, fleet.identity, fleet.options.timeout) {}

    void run(std::size_t index, const std::string& serial) override {
        auto device = manufacture(fleet_.options, station_, serial);
        if (device) {
            prepared_[index] = *std::move(device);
            return;
        }
        DeviceResult result;
        result.serial = serial;
        describe(device.error(), result);
        fleet_.report.add(result);
    }

  private:
    const Fleet& fleet_;
    Prepared& prepared_;
    Station station_;
};

/// The measured part: CONNECT until CONNACK, and nothing else.
class ConnectFlow : public Flow {
  public:
    ConnectFlow(const Fleet& fleet, const Prepared& prepared)
        : fleet_(fleet), prepared_(prepared) {}

    void run(std::size_t index, const std::string& serial) override {
        if (!prepared_[index]) return;  // reported when it was not signed
        auto client = first_connect(fleet_, *prepared_[index], serial);
        if (client) client->disconnect(step_deadline(fleet_.options));
    }

  private:
    const Fleet& fleet_;
    const Prepared& prepared_;
};

/// Everybody's power comes back at the same moment.
class PoweredFlow : public Flow {
  public:
    PoweredFlow(const Fleet& fleet, const Prepared& prepared, std::latch& power)
        : fleet_(fleet), prepared_(prepared), power_(power) {}

    void run(std::size_t index, const std::string& serial) override {
        power_.arrive_and_wait();
        if (!prepared_[index]) return;  // reported when it was not signed
        auto client = first_connect(fleet_, *prepared_[index], serial);
        if (client) publish_telemetry(fleet_, *client, serial, prepared_[index]->thing);
    }

  private:
    const Fleet& fleet_;
    const Prepared& prepared_;
    std::latch& power_;
};

Prepared prepare(const Fleet& fleet, const std::vector<std::string>& serials) {
    Prepared prepared(serials.size());
    run_all(fleet, serials, static_cast<std::size_t>(fleet.options.concurrency), [&] {
        return std::make_unique<PrepareFlow>(fleet, prepared);
    });
    return prepared;
}

}  // namespace

std::unique_ptr<Flow> make_jitp_flow(const Fleet& fleet) {
    return std::make_unique<JitpFlow>(fleet);
}

std::chrono::duration<double> run_bench(const Fleet& fleet,
                                        const std::vector<std::string>& serials) {
    const Prepared prepared = prepare(fleet, serials);
    const auto start = Clock::now();
    run_all(fleet, serials, static_cast<std::size_t>(fleet.options.concurrency), [&] {
        return std::make_unique<ConnectFlow>(fleet, prepared);
    });
    return Clock::now() - start;
}

std::chrono::duration<double> run_power_on(const Fleet& fleet,
                                           const std::vector<std::string>& serials) {
    const Prepared prepared = prepare(fleet, serials);
    std::fprintf(stderr, "fleet: %zu devices are ready\n", serials.size());
    while (!std::filesystem::exists(fleet.options.power_file))
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::latch power(static_cast<std::ptrdiff_t>(serials.size()));
    const auto start = Clock::now();
    run_all(fleet, serials, serials.size(), [&] {
        return std::make_unique<PoweredFlow>(fleet, prepared, power);
    });
    return Clock::now() - start;
}

}  // namespace hatchery::fleet
