// A device's CONNECT: who is it, may it connect, and if nobody knows it, JITP or JITR.
// The TLS handshake has proved possession of the key; everything else is decided here.
#pragma once

#include "provisioning/flows/messages.h"
#include "provisioning/flows/service.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hatchery::flows {

struct Identity;      // identity.h
class IdentityCache;  // identity_cache.h

/// How the device asks: over HTTPS there is no client id, and no thing variable (AWS IoT Developer
/// Guide, "Thing policy variables").
enum class Protocol { Mqtt, Https };

struct ConnectRequest {
    ca::Certificate certificate;         ///< presented and proved in the handshake
    std::vector<ca::Certificate> chain;  ///< what else the device sent; may be empty
    std::string client_id;
    std::string source_ip;
    bool persistent = false;  ///< not a clean session
    std::optional<std::string> will_topic;
    bool will_retained = false;
    std::string server_name{};  ///< SNI of the handshake; empty: none
    Protocol protocol = Protocol::Mqtt;
};

/// An identity as the gateway enforces it, packet by packet.
struct Admission {
    registry::DeviceCertificate certificate;
    std::string
        thing;  ///< attached thing named like the client id, or the exclusive thing, or empty
    bool is_exclusive = false;  ///< `thing` is attached exclusively
    policy::Context
        context;  ///< iot:ClientId, iot:Connection.Thing.*, iot:Certificate.*, aws:SourceIp
    std::vector<policy::Document> policies;  ///< of the certificate, and of the thing's groups
    std::vector<std::string> policy_names;   ///< of `policies`, in their order
    std::uint64_t generation = 0;            ///< Store::identity_generation when it was read
    bool provisioned_now = false;            ///< this connect made its records (JITP)
};

struct AdmitOutcome {
    std::optional<Admission> admission;  ///< set = go on
    std::optional<Error> refused;  ///< else why: for the log; MQTT 3.1.1 closes without CONNACK
    std::vector<Event> events;     ///< to publish in either case (JITR registration)
    bool is_known = false;         ///< the registry knew the certificate before
    std::shared_ptr<const Identity> identity;  ///< of an admission, for IdentityCache::remember
};

/// Known and ACTIVE: reads policies, checks iot:Connect (and iot:Publish / iot:RetainPublish of a
/// will). Unknown: finds the registered CA by issuer name and signature (every candidate is tried),
/// then
///   JITP  (auto registration on, registrationConfig there): template -> plan -> one write -> as
///   known; JITR  (auto registration on, no registrationConfig): stored PENDING_ACTIVATION, event,
///   refused.
/// A failed provisioning leaves the certificate PENDING_ACTIVATION (so the next connect tries
/// again) and nothing else. Known and PENDING_ACTIVATION from a JITP CA: tries to provision again.
/// Over HTTPS nothing is connected: iot:Connect is not asked for, the rest is the same.
/// Blocks on the store and hooks. Thread-safe; two connects of one unknown certificate provision it
/// once.
AdmitOutcome admit(Service& service, const ConnectRequest& request, Time now);

/// `admit` step by step, for a caller whose thread must not wait. One thread at a time.
class Admitting {
  public:
    enum class Next {
        Step,   ///< call `step`: no hook and no commit is waited for
        Wait,   ///< call `step` where that may be waited for
        Write,  ///< hand `write` to the store, with kWaitsForCompany, then `written` its answer
        Done,   ///< `outcome` has it
    };
    /// `service` and `request` outlive the object.
    Admitting(Service& service, const ConnectRequest& request, Time now);
    ~Admitting();
    Admitting(const Admitting&) = delete;
    Admitting& operator=(const Admitting&) = delete;

    Next next() const;
    void step();
    Result<> write(store::Tx& tx);
    void written(Result<> done);
    /// Ends it here.
    void refuse(Error error);
    /// Once.
    AdmitOutcome outcome();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The same for a device that was here lately, if that is certain and nothing stands against it;
/// otherwise nothing, and `admit` decides and explains. Does not wait for the store. Thread-safe.
std::optional<Admission> readmit(Service& service,
                                 IdentityCache& remembered,
                                 const ConnectRequest& request,
                                 Time now);

/// Reads the identity again after identity_generation changed.
/// @errors Forbidden  the certificate is no longer ACTIVE
Result<Admission> refresh(Service& service,
                          const ConnectRequest& request,
                          const Admission& previous,
                          Time now);

/// May `admission` do `action` on `name` (client id, topic or filter text)? Builds the ARN.
policy::Decision authorize(const Service& service,
                           const Admission& admission,
                           policy::Action action,
                           std::string_view name);

/// Leaves a trace of a packet or delivery that `authorize` denied.
void trace_denial(const Service& service,
                  const ConnectRequest& request,
                  const Admission& admission,
                  policy::Action action,
                  std::string_view name,
                  Time now);

}  // namespace hatchery::flows
