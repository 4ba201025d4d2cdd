#include "tools/fleet/device.h"
#include "tools/fleet/station.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace hatchery::fleet {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kPem = ".pem";
constexpr std::string_view kNextPem = ".next.pem";
constexpr std::string_view kCreate = "$aws/certificates/create-from-csr/json";
constexpr std::string_view kRotate = "rotate-certificate";  // the operation in the job document
constexpr std::string_view kBeginCertificate = "-----BEGIN CERTIFICATE-----";
constexpr std::size_t kMaxReason = 1000;  // of statusDetails: 1,024 characters

/// Whole or as it was: a device that loses its power here has one or the other.
Result<> write_whole(const fs::path& path, std::string_view text) {
    const fs::path temporary = path.string() + ".tmp";
    {
        std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
        fs::permissions(temporary, fs::perms::owner_read | fs::perms::owner_write);
        file << text;
        if (!file.flush()) return fail(Code::Unavailable, "cannot write " + temporary.string());
    }
    std::error_code error;
    fs::rename(temporary, path, error);
    if (error) return fail(Code::Unavailable, "cannot write " + path.string());
    return {};
}

/// A device's flash: THING.pem is the identity that it has, and while it exchanges its certificate
/// THING.next.pem the one that it will have, at first only a key. Key and certificates are one
/// file, so that one rename puts the next in place of the present.
class Flash {
  public:
    Flash(const fs::path& folder, const std::string& thing)
        : present_((folder / thing).string() + std::string(kPem)),
          next_((folder / thing).string() + std::string(kNextPem)) {}

    Result<Identity> present() const { return read(present_); }
    Result<> write_present(const ca::PrivateKey& key, std::string_view chain) const {
        return write(present_, key, chain);
    }
    /// The next identity, if its certificate has come.
    std::optional<Identity> next() const {
        auto identity = read(next_);
        if (!identity) return std::nullopt;
        return *std::move(identity);
    }
    /// The key of the next certificate: that of an attempt before, or a new one. It is kept before
    /// anything is asked for with it, so that a lost answer costs no certificate.
    Result<ca::PrivateKey> next_key(ca::KeyKind kind) const {
        if (auto text = read_file(next_)) {
            if (auto kept = key_in(*text)) return kept;
        }
        auto made = ca::PrivateKey::generate(kind);
        if (!made) return made;
        if (auto written = write(next_, *made, ""); !written) return std::move(written).error();
        return made;
    }
    Result<> write_next(const ca::PrivateKey& key, std::string_view chain) const {
        return write(next_, key, chain);
    }
    /// The next identity has worked: it is the present one.
    Result<> promote() const {
        std::error_code error;
        fs::rename(next_, present_, error);
        if (error) return fail(Code::Unavailable, "cannot write " + present_);
        return {};
    }

  private:
    static Result<ca::PrivateKey> key_in(std::string text) {
        text.resize(std::min(text.find(kBeginCertificate), text.size()));
        const Secret pem = Secret::take(text);
        return ca::PrivateKey::from_pem(pem.text(), Secret());
    }
    static Result<Identity> read(const std::string& path) {
        auto text = read_file(path);
        if (!text) return std::move(text).error();
        auto key = key_in(*text);
        if (!key) return fail(Code::InvalidRequest, path + ": " + key.error().message);
        const auto chain = std::min(text->find(kBeginCertificate), text->size());
        auto identity = make_identity(std::string_view(*text).substr(chain), *std::move(key));
        if (!identity) return fail(Code::InvalidRequest, path + ": " + identity.error().message);
        return identity;
    }
    static Result<> write(const std::string& path,
                          const ca::PrivateKey& key,
                          std::string_view chain) {
        auto pem = key.to_plain_pem();
        if (!pem) return std::move(pem).error();
        return write_whole(path, std::string(pem->text()) + std::string(chain));
    }

    std::string present_, next_;
};

class RotateFlow : public Flow {
  public:
    explicit RotateFlow(const Fleet& fleet) : fleet_(fleet) {}

    void run(std::size_t, const std::string& thing) override {
        const Flash flash(fleet_.options.keep_folder, thing);
        const auto start = std::chrono::steady_clock::now();
        const auto end = start + fleet_.options.patience;
        is_rotated_ = false;
        Result<bool> done = false;
        for (int attempt = 1; std::chrono::steady_clock::now() < end; ++attempt) {
            done = step(flash, thing);
            if (done && *done) break;
            if (!done && !is_worth_a_retry(done.error())) break;
            if (!done || !flash.next() || attempt > 2) back_off(std::min(attempt, 4));
        }
        if (done && !*done) done = fail(Code::Unavailable, "the job did not come in time");
        DeviceResult result;
        result.serial = thing;
        result.thing = thing;
        result.ms_first_connect =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count();
        result.outcome = Outcome::Provisioned;
        if (!done) describe(done.error(), result);
        if (auto identity = flash.present()) {
            result.certificate_id = identity->chain.front().id().hex();
        }
        fleet_.report.add(result);
    }

  private:
    Result<MqttClient> connect(const Identity& identity, const std::string& thing) const {
        return MqttClient::connect(
            fleet_.tls, identity, fleet_.options.server, thing, step_deadline(fleet_.options));
    }

    /// By the next certificate if there is one, else, or if it does not work yet, by the present
    /// one. Only a certificate that has worked takes the place of another.
    Result<MqttClient> connect_best(const Flash& flash, const std::string& thing) {
        if (const auto next = flash.next()) {
            if (auto client = connect(*next, thing)) {
                if (auto kept = flash.promote(); !kept) return std::move(kept).error();
                is_rotated_ = true;
                return client;
            }
        }
        auto present = flash.present();
        if (!present) return std::move(present).error();
        return connect(*present, thing);
    }

    /// What one connection does; true when the job is done and reported.
    Result<bool> step(const Flash& flash, const std::string& thing) {
        auto client = connect_best(flash, thing);
        if (!client) return std::move(client).error();
        const std::string jobs = "$aws/things/" + thing + "/jobs/";
        auto started = ask(*client, jobs + "start-next", "{}");
        if (!started) return std::move(started).error();
        const auto execution = started->find("execution");
        // Reported before, and the answer was lost; or not asked to do anything yet.
        if (execution == started->end()) return is_rotated_;
        const std::string update = jobs + execution->value("jobId", "") + "/update";
        const Json document = execution->value("jobDocument", Json::object());
        if (!document.is_object() || document.value("operation", "") != kRotate) {
            auto told = report(*client, update, "REJECTED", "not a rotation");
            return told ? Result<bool>(false) : std::move(told).error();
        }
        if (is_rotated_) {
            auto told = report(*client, update, "SUCCEEDED", "");
            return told ? Result<bool>(true) : std::move(told).error();
        }
        auto fetched = fetch_next(*client, flash);
        if (!fetched && !is_worth_a_retry(fetched.error())) {
            // The present certificate goes on working; the job says why.
            static_cast<void>(report(*client, update, "FAILED", to_string(fetched.error())));
        }
        if (!fetched) return std::move(fetched).error();
        client->disconnect(step_deadline(fleet_.options));
        return false;  // the next step connects by it
    }

    Result<> report(MqttClient& client,
                    const std::string& topic,
                    const std::string& status,
                    const std::string& reason) const {
        Json update = {{"status", status}};
        if (!reason.empty()) update["statusDetails"] = {{"reason", reason.substr(0, kMaxReason)}};
        auto told = ask(client, topic, update.dump(-1, ' ', false, Json::error_handler_t::replace));
        if (!told) return std::move(told).error();
        client.disconnect(step_deadline(fleet_.options));
        return {};
    }

    Result<> fetch_next(MqttClient& client, const Flash& flash) const {
        auto present = flash.present();
        if (!present) return std::move(present).error();
        auto key = flash.next_key(fleet_.options.key);
        if (!key) return std::move(key).error();
        auto csr = make_next_csr(*key, present->chain.front());
        if (!csr) return std::move(csr).error();
        auto subscribed = client.subscribe(
            {std::string(kCreate) + "/accepted", std::string(kCreate) + "/rejected"},
            step_deadline(fleet_.options));
        if (!subscribed) return subscribed;
        auto answer =
            ask(client, std::string(kCreate), Json{{"certificateSigningRequest", *csr}}.dump());
        if (!answer) return std::move(answer).error();
        const std::string pem = answer->value("certificatePem", "");
        auto chain = ca::Certificate::all_from_pem(pem);
        if (!chain) return std::move(chain).error();
        return flash.write_next(*key, pem);
    }

    /// Publishes, and waits for the answer on accepted or rejected.
    Result<Json> ask(MqttClient& client,
                     const std::string& topic,
                     const std::string& payload) const {
        auto sent = client.publish(topic, payload, step_deadline(fleet_.options));
        if (!sent) return std::move(sent).error();
        for (;;) {
            auto message = client.receive(step_deadline(fleet_.options));
            if (!message) return std::move(message).error();
            const auto answer = Json::parse(message->payload, nullptr, false);
            if (!answer.is_object()) continue;
            if (message->topic == topic + "/accepted") return answer;
            if (message->topic == topic + "/rejected") return rejection(answer);
        }
    }

    /// Of both APIs: code and message of jobs, errorCode and errorMessage of provisioning.
    static Error rejection(const Json& answer) {
        const std::string word =
            answer.value("code", answer.value("errorCode", std::string("rejected")));
        const bool is_passing = word == "InternalError" || word == "InternalFailure" ||
                                word == "ServiceUnavailable" || word == "RequestThrottled" ||
                                word == "Throttling";
        return fail(is_passing ? Code::Unavailable : Code::Forbidden,
                    answer.value("message", answer.value("errorMessage", std::string())),
                    word);
    }

    const Fleet& fleet_;
    bool is_rotated_ = false;  // this device, in this run
};

}  // namespace

Result<> keep_identity(const std::string& folder,
                       const std::string& thing,
                       const Identity& identity) {
    std::string chain;
    for (const auto& certificate : identity.chain)
        chain += certificate.pem();
    return Flash(folder, thing).write_present(identity.key, chain);
}

Result<Identity> kept_identity(const std::string& folder, const std::string& thing) {
    return Flash(folder, thing).present();
}

Result<std::vector<std::string>> kept_things(const std::string& folder) {
    std::vector<std::string> things;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        const bool is_one = name.ends_with(kPem) && !name.ends_with(kNextPem);
        if (is_one) things.push_back(name.substr(0, name.size() - kPem.size()));
    }
    if (error) return fail(Code::InvalidRequest, folder + ": " + error.message());
    if (things.empty()) return fail(Code::InvalidRequest, "no THING.pem in " + folder);
    std::sort(things.begin(), things.end());
    return things;
}

std::unique_ptr<Flow> make_rotate_flow(const Fleet& fleet) {
    return std::make_unique<RotateFlow>(fleet);
}

}  // namespace hatchery::fleet
