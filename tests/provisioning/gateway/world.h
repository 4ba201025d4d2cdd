// A gateway with everything below it, real: store, issuing CA, mosquitto child; in a folder of its
// own. And a device: blocking TLS with packets.
#pragma once

#include "ca/issuer.h"
#include "provisioning/flows/service.h"
#include "provisioning/gateway/gateway.h"
#include "provisioning/gateway/mqtt.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace hatchery::gateway {

/// A device's files and PEM texts.
struct Identity {
    CertificateId id;
    std::string certificate_pem;
    std::string key_pem;
    std::filesystem::path certificate_file;
    std::filesystem::path key_file;
};

/// One MQTT packet, copied.
struct Received {
    mqtt::PacketType type{};
    std::uint8_t flags = 0;
    Bytes bytes;
    Bytes body;
};

struct TlsChoices {
    std::string server_name;        ///< SNI; empty = none
    std::vector<std::string> alpn;  ///< offered protocols
    int max_version = 0;            ///< TLS1_2_VERSION …; 0 = any
    int receive_buffer = 0;         ///< SO_RCVBUF; 0 = the system's
};

/// A device that does what a test tells it, waiting at most a minute for anything.
class Device {
  public:
    Device(int port, const Identity& identity, const TlsChoices& choices = {});
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    bool is_secure() const { return is_secure_; }  ///< the handshake went through on our side
    std::string alpn() const;                      ///< chosen by the server; empty = none
    void send(const Bytes& bytes);
    /// The next packet; nothing when the server has closed the connection.
    std::optional<Received> receive();
    bool is_closed_by_server() { return !receive(); }
    /// CONNECT and its answer's return code, -1 = closed without one.
    int connect(const std::string& client_id, std::uint16_t keep_alive = 60);
    /// Ends the TCP connection at once.
    void drop();

  private:
    ssl_ctx_st* context_ = nullptr;
    ssl_st* ssl_ = nullptr;
    int socket_ = -1;
    bool is_secure_ = false;
    mqtt::PacketReader reader_{1 << 20};
};

class World {
  public:
    explicit World(const std::function<void(Options&)>& adjust = {});
    ~World();

    /// A certificate of the registered CA: common name = `name`.
    Identity make_device(const std::string& name);
    /// The same without any registration: X.509 version 1, no extensions, key as given.
    Identity make_v1_device(const std::string& name, int rsa_bits, bool signed_by_registered_ca);
    /// An ACTIVE claim certificate with the claim policy.
    Identity make_claim();
    std::optional<registry::CertificateStatus> status_of(const Identity& identity);
    void set_status(const Identity& identity, registry::CertificateStatus status);
    /// Adds a version of the policy "device" and makes it the default.
    void change_device_policy(const std::string& document);
    void set_attribute(const std::string& thing, const std::string& name, const std::string& value);
    /// As a CA registered in that mode would have made it.
    void set_mode(const Identity& identity, registry::CertificateMode mode);
    bool has_thing(const std::string& name);
    /// From JITP to JITR: unknown devices are recorded and announced, no more.
    void remove_registration_template();
    const CertificateId& ca_id() const { return root_->id(); }

    int port() const { return gateway_->port(); }
    int alpn_port() const { return gateway_->alpn_port(); }
    const Counters& counters() const { return gateway_->counters(); }
    std::string socket() const { return broker_->upstream().substr(5); }
    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path ca_file() const { return folder_ / "root.pem"; }
    void stop_gateway() { gateway_.reset(); }
    flows::Service& service() { return *service_; }

  private:
    Identity write(const std::string& name,
                   const CertificateId& id,
                   std::string certificate_pem,
                   std::string key_pem);
    ca::Certificate issue(const std::string& csr_pem, const std::string& profile);
    void register_records();

    std::filesystem::path folder_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<ca::PrivateKey> root_key_;
    std::unique_ptr<ca::Certificate> root_;
    std::unique_ptr<ca::Issuer> issuer_;
    std::unique_ptr<registry::StoreLedger> ledger_;
    std::map<std::string, ca::Profile, std::less<>> profiles_;
    hooks::HookSet hooks_;
    flows::CompiledCache compiled_;
    std::unique_ptr<flows::Service> service_;
    std::unique_ptr<Broker> broker_;
    std::unique_ptr<Gateway> gateway_;
};

/// What a command printed, and how it ended.
struct Ran {
    int exit_code = -1;
    std::string output;
};
Ran run(const std::string& command);

/// Messages to the topics of `filter` that reach the broker from now on, each once; none missed.
class Collector {
  public:
    Collector(const World& world, const std::string& filter);
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    /// The next `count` messages, "topic payload" each. Throws when the broker sent fewer.
    std::vector<std::string> take(int count) const;

  private:
    std::string next_line() const;

    std::FILE* reader_ = nullptr;
    int pid_ = 0;
};

}  // namespace hatchery::gateway
