// What one simulated device does, from its key to its first message.
#pragma once

#include "tools/fleet/mqtt_client.h"
#include "tools/fleet/report.h"

#include <functional>

namespace hatchery::fleet {

/// What all devices of a run share; outlives them.
struct Fleet {
    const Options& options;
    TlsContext tls;
    Identity identity;  ///< of the station, or the claim certificate
    Report& report;
};

/// Runs devices one after the other; each thread has its own.
class Flow {
  public:
    virtual ~Flow() = default;
    /// Reports the device's outcome once.
    virtual void run(std::size_t index, const std::string& serial) = 0;
};
/// CSR signed by the factory endpoint, registered on the first connect.
std::unique_ptr<Flow> make_jitp_flow(const Fleet& fleet);
/// Registered with the claim certificate, by CreateKeysAndCertificate or CreateCertificateFromCsr.
std::unique_ptr<Flow> make_claim_flow(const Fleet& fleet);

/// Does the rotation job of its thing: a new key and certificate over its own connection, then
/// connects by it, then reports. A "serial number" is the name of a thing in the folder of --keep.
std::unique_ptr<Flow> make_rotate_flow(const Fleet& fleet);

/// Writes FOLDER/THING.pem, key and certificates. @errors Unavailable
Result<> keep_identity(const std::string& folder,
                       const std::string& thing,
                       const Identity& identity);
/// @errors InvalidRequest  no such file, or not what keep_identity writes
Result<Identity> kept_identity(const std::string& folder, const std::string& thing);
/// The things whose identities lie in `folder`. @errors InvalidRequest  none
Result<std::vector<std::string>> kept_things(const std::string& folder);

/// Runs every device, `at_once` of them at the same time.
void run_all(const Fleet& fleet,
             const std::vector<std::string>& serials,
             std::size_t at_once,
             const std::function<std::unique_ptr<Flow>()>& make_flow);

/// Prepares every key and certificate, then measures first connects alone.
/// @return how long the connects took together
std::chrono::duration<double> run_bench(const Fleet& fleet,
                                        const std::vector<std::string>& serials);

/// Prepares every key and certificate, says so on stderr, waits for the file Options::power_file
/// and then lets all devices connect at the same moment, a thread each.
/// @return how long that took, from the moment on
std::chrono::duration<double> run_power_on(const Fleet& fleet,
                                           const std::vector<std::string>& serials);

/// The deadline of a step that begins now.
Deadline step_deadline(const Options& options);
/// May another attempt end otherwise? A refusal that was said in so many words is final; a closed
/// connection, no answer and throttling are not.
bool is_worth_a_retry(const Error& error);
/// Sleeps before attempt `attempt` (from 1): 0.2 s, 0.4 s, … 5 s.
void back_off(int attempt);
/// Fills outcome, reason and message.
void describe(const Error& error, DeviceResult& result);
/// Publishes the one telemetry message of `thing` and takes leave; reports how it went.
void publish_telemetry(const Fleet& fleet,
                       MqttClient& client,
                       const std::string& serial,
                       const std::string& thing);

/// Calls `attempt` until it succeeds, fails for good or the retries are used up.
template <class Attempt>
auto with_retries(const Options& options, const Attempt& attempt) -> decltype(attempt()) {
    for (int retry = 1;; ++retry) {
        auto outcome = attempt();
        if (outcome || retry > options.retries || !is_worth_a_retry(outcome.error())) {
            return outcome;
        }
        back_off(retry);
    }
}

}  // namespace hatchery::fleet
