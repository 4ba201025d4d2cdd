#include "tools/fleet/device.h"
#include "tools/fleet/station.h"

#include <nlohmann/json.hpp>

namespace hatchery::fleet {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

/// What a device has after RegisterThing was accepted.
struct Registered {
    Identity identity;
    std::string thing;
};

/// A member that has to be a string; empty where it is none.
std::string text_in(const Json& json, const char* key) {
    const auto it = json.find(key);
    return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

Error rejection(const Json& answer) {
    const auto status = answer.find("statusCode");
    const int code = status != answer.end() && status->is_number_integer() ? status->get<int>() : 0;
    auto name = text_in(answer, "errorCode");
    if (name.empty()) name = "rejected " + std::to_string(code);
    const auto kind = code == 429   ? Code::Throttled
                      : code >= 500 ? Code::Unavailable
                                    : Code::Forbidden;
    return fail(kind, text_in(answer, "errorMessage"), name);
}

/// One device on its claim connection.
class ClaimSession {
  public:
    ClaimSession(const Fleet& fleet, MqttClient client)
        : fleet_(fleet), client_(std::move(client)) {}

    Result<Registered> provision(Claim claim, const std::string& serial) {
        const std::string create = claim == Claim::Csr ? "$aws/certificates/create-from-csr/json"
                                                       : "$aws/certificates/create/json";
        const std::string registration =
            "$aws/provisioning-templates/" + fleet_.options.template_name + "/provision/json";
        auto subscribed = client_.subscribe({create + "/accepted",
                                             create + "/rejected",
                                             registration + "/accepted",
                                             registration + "/rejected"},
                                            step_deadline(fleet_.options));
        if (!subscribed) return std::move(subscribed).error();
        std::string token;
        auto identity =
            claim == Claim::Csr ? from_csr(create, serial, token) : from_keys(create, token);
        if (!identity) return std::move(identity).error();
        const Json request{{"certificateOwnershipToken", token},
                           {"parameters", {{"SerialNumber", serial}}}};
        auto accepted = ask(registration, request.dump());
        if (!accepted) return std::move(accepted).error();
        client_.disconnect(step_deadline(fleet_.options));
        return Registered{*std::move(identity), text_in(*accepted, "thingName")};
    }

  private:
    /// CreateKeysAndCertificate: the key comes from the server.
    Result<Identity> from_keys(const std::string& topic, std::string& token) {
        auto answer = ask(topic, "");
        if (!answer) return std::move(answer).error();
        auto pem = text_in(*answer, "privateKey");
        const Secret secret = Secret::take(pem);
        auto key = ca::PrivateKey::from_pem(secret.text(), Secret());
        if (!key) return fail(Code::Unavailable, "privateKey: " + key.error().message);
        return identity_of(*answer, *std::move(key), token);
    }

    /// CreateCertificateFromCsr: the key never leaves the device.
    Result<Identity> from_csr(const std::string& topic,
                              const std::string& serial,
                              std::string& token) {
        auto key = ca::PrivateKey::generate(fleet_.options.key);
        if (!key) return std::move(key).error();
        auto csr = make_csr(*key, fleet_.options.subject, serial);
        if (!csr) return std::move(csr).error();
        auto answer = ask(topic, Json{{"certificateSigningRequest", *csr}}.dump());
        if (!answer) return std::move(answer).error();
        return identity_of(*answer, *std::move(key), token);
    }

    static Result<Identity> identity_of(const Json& answer,
                                        ca::PrivateKey key,
                                        std::string& token) {
        token = text_in(answer, "certificateOwnershipToken");
        auto identity = make_identity(text_in(answer, "certificatePem"), std::move(key));
        if (!identity) {
            return fail(Code::Unavailable, "certificatePem: " + identity.error().message);
        }
        if (identity->chain.front().id().hex() != text_in(answer, "certificateId")) {
            return fail(Code::Unavailable, "certificateId is not the certificate's fingerprint");
        }
        return identity;
    }

    /// Publishes and waits for the answer on accepted or rejected.
    Result<Json> ask(const std::string& topic, const std::string& payload) {
        auto sent = client_.publish(topic, payload, step_deadline(fleet_.options));
        if (!sent) return std::move(sent).error();
        auto message = client_.receive(step_deadline(fleet_.options));
        if (!message) return std::move(message).error();
        const auto answer = Json::parse(message->payload, nullptr, false);
        if (!answer.is_object()) return fail(Code::Unavailable, "the answer is no JSON object");
        if (message->topic == topic + "/accepted") return answer;
        if (message->topic == topic + "/rejected") return rejection(answer);
        return fail(Code::Unavailable,
                    "a message on a topic of another request: " + message->topic);
    }

    const Fleet& fleet_;
    MqttClient client_;
};

class ClaimFlow : public Flow {
  public:
    explicit ClaimFlow(const Fleet& fleet) : fleet_(fleet) {}

    void run(std::size_t index, const std::string& serial) override {
        auto claim = fleet_.options.claim;
        if (claim == Claim::Mix) claim = index % 2 == 0 ? Claim::Keys : Claim::Csr;
        const auto start = Clock::now();
        auto device = with_retries(fleet_.options, [&] { return attempt(claim, serial); });
        DeviceResult result;
        result.serial = serial;
        result.ms_first_connect =
            std::chrono::duration<double, std::milli>(Clock::now() - start).count();
        if (device) {
            result.outcome = Outcome::Provisioned;
            result.thing = device->thing;
            result.certificate_id = device->identity.chain.front().id().hex();
        } else {
            describe(device.error(), result);
        }
        fleet_.report.add(result);
        if (device) greet(*device, serial);
    }

  private:
    Result<Registered> attempt(Claim claim, const std::string& serial) const {
        auto client = MqttClient::connect(fleet_.tls,
                                          fleet_.identity,
                                          fleet_.options.server,
                                          fill(fleet_.options.claim_client_id, "serial", serial),
                                          step_deadline(fleet_.options));
        if (!client) return std::move(client).error();
        return ClaimSession(fleet_, *std::move(client)).provision(claim, serial);
    }

    /// Connects with the certificate of its own, as its thing.
    void greet(const Registered& device, const std::string& serial) const {
        const auto client_id = device.thing.empty() ? serial : device.thing;
        auto client = with_retries(fleet_.options, [&] {
            return MqttClient::connect(fleet_.tls,
                                       device.identity,
                                       fleet_.options.server,
                                       client_id,
                                       step_deadline(fleet_.options));
        });
        if (client) {
            publish_telemetry(fleet_, *client, serial, client_id);
        } else {
            fleet_.report.unfinished(serial,
                                     "connect as " + client_id + ": " + to_string(client.error()));
        }
    }

    const Fleet& fleet_;
};

}  // namespace

std::unique_ptr<Flow> make_claim_flow(const Fleet& fleet) {
    return std::make_unique<ClaimFlow>(fleet);
}

}  // namespace hatchery::fleet
