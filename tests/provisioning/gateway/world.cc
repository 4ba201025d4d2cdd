#include "tests/provisioning/gateway/world.h"

#include "provisioning/flows/issue.h"
#include "provisioning/registry/policies.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/templates.h"
#include "provisioning/registry/things.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace hatchery::gateway {
namespace {

constexpr std::string_view kDevicePolicy = R"({"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect",
  "Resource":"arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],
  "Resource":"arn:aws:iot:us-east-1:123456789012:topic/telemetry/${iot:Connection.Thing.ThingName}"},
 {"Effect":"Allow","Action":"iot:Subscribe",
  "Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/telemetry/*"}]})";

constexpr std::string_view kClaimPolicy = R"({"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":"iot:Connect","Resource":"*"},
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":[
  "arn:aws:iot:us-east-1:123456789012:topic/$aws/certificates/create/*",
  "arn:aws:iot:us-east-1:123456789012:topic/$aws/provisioning-templates/claims/provision/*"]},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":[
  "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/certificates/create/*",
  "arn:aws:iot:us-east-1:123456789012:topicfilter/$aws/provisioning-templates/claims/provision/*"]}]})";

constexpr std::string_view kJitpTemplate = R"({
 "Parameters":{"AWS::IoT::Certificate::CommonName":{"Type":"String"},
               "AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{
   "ThingName":{"Ref":"AWS::IoT::Certificate::CommonName"}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{
   "CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"device"}}}})";

constexpr std::string_view kClaimTemplate = R"({
 "Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},
 "Resources":{
  "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"SerialNumber"}}},
  "certificate":{"Type":"AWS::IoT::Certificate","Properties":{
   "CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"ACTIVE"}},
  "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"device"}}}})";

/// The value, or the end of the test program with the reason.
template <class T>
T must(Result<T> result, std::string_view what) {
    if (!result) {
        std::fprintf(
            stderr, "%s: %s\n", std::string(what).c_str(), to_string(result.error()).c_str());
        std::abort();
    }
    return std::move(*result);
}
void must(const Result<>& result, std::string_view what) {
    if (result) return;
    std::fprintf(stderr, "%s: %s\n", std::string(what).c_str(), to_string(result.error()).c_str());
    std::abort();
}

template <class T, auto Free>
using Owned = std::unique_ptr<T, decltype([](T* pointer) { Free(pointer); })>;

std::string read_bio(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    return {data, static_cast<std::size_t>(size)};
}

Owned<BIO, BIO_free_all> bio_of(const std::string& text) {
    return Owned<BIO, BIO_free_all>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void use_identity(SSL_CTX* context, const Identity& identity) {
    const auto certificate_bio = bio_of(identity.certificate_pem);
    const auto key_bio = bio_of(identity.key_pem);
    const Owned<X509, X509_free> certificate(
        PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr));
    const Owned<EVP_PKEY, EVP_PKEY_free> key(
        PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(SSL_CTX_use_certificate(context, certificate.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

int connect_to(int port, int receive_buffer) {
    const int handle = ::socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer > 0) {
        ::setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(handle, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval limit{60, 0};
    ::setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return handle;
}

}  // namespace

Device::Device(int port, const Identity& identity, const TlsChoices& choices)
    : context_(SSL_CTX_new(TLS_client_method())),
      socket_(connect_to(port, choices.receive_buffer)) {
    SSL_CTX_set_security_level(context_, 0);  // a weak key is the server's to refuse
    if (choices.max_version != 0) SSL_CTX_set_max_proto_version(context_, choices.max_version);
    use_identity(context_, identity);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, socket_);
    if (!choices.server_name.empty()) {
        SSL_ctrl(ssl_,
                 SSL_CTRL_SET_TLSEXT_HOSTNAME,
                 TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(choices.server_name.c_str()));
    }
    std::string alpn;
    for (const auto& protocol : choices.alpn)
        alpn += static_cast<char>(protocol.size()) + protocol;
    if (!alpn.empty()) {
        SSL_set_alpn_protos(ssl_,
                            reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
    }
    is_secure_ = SSL_connect(ssl_) == 1;
}

Device::~Device() {
    drop();
    SSL_free(ssl_);
    SSL_CTX_free(context_);
}

std::string Device::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

void Device::send(const Bytes& bytes) {
    std::size_t written = 0;
    SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written);  // a closed peer shows in receive
}

std::optional<Received> Device::receive() {
    for (;;) {
        auto packet = reader_.next();
        if (packet && *packet) {
            return Received{(*packet)->type,
                            (*packet)->flags,
                            to_bytes((*packet)->bytes),
                            to_bytes((*packet)->body)};
        }
        std::array<std::uint8_t, 4096> chunk{};
        std::size_t count = 0;
        if (SSL_read_ex(ssl_, chunk.data(), chunk.size(), &count) != 1) {
            EXPECT_NE(errno, EAGAIN) << "nothing came for a minute";
            return std::nullopt;
        }
        reader_.append(ByteView(chunk).first(count));
    }
}

int Device::connect(const std::string& client_id, std::uint16_t keep_alive) {
    mqtt::Connect connect;
    connect.client_id = client_id;
    connect.keep_alive = keep_alive;
    send(mqtt::encode_connect(connect));
    const auto answer = receive();
    if (!answer || answer->type != mqtt::PacketType::Connack) return -1;
    return answer->body.at(1);
}

void Device::drop() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
}

World::World(const std::function<void(Options&)>& adjust) {
    std::string folder = (std::filesystem::temp_directory_path() / "gateway-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::abort();
    folder_ = folder;
    const Time now = clock_now();
    store_ = must(registry::open(folder_ / "store.db"), "store");
    root_key_ = std::make_unique<ca::PrivateKey>(
        must(ca::PrivateKey::generate(ca::KeyKind::P256), "root key"));
    root_ = std::make_unique<ca::Certificate>(
        must(ca::make_root(*root_key_, "Test Root", std::chrono::hours(24 * 3650), now), "root"));
    issuer_ =
        std::make_unique<ca::Issuer>(must(ca::Issuer::make(*root_, *root_key_, {}), "issuer"));
    ledger_ = std::make_unique<registry::StoreLedger>(*store_);
    for (const auto& shipped : ca::shipped_profiles()) {
        profiles_.emplace(std::string(shipped.name),
                          must(ca::Profile::parse(shipped.toml, shipped.name), shipped.name));
    }
    flows::Settings settings;
    settings.device_key = ca::KeyKind::P256;
    service_ = std::make_unique<flows::Service>(flows::Service{
        *store_, *issuer_, *ledger_, profiles_, hooks_, compiled_, std::move(settings)});
    register_records();
    std::ofstream(ca_file()) << root_->pem();

    broker_ = must(Broker::start("/usr/sbin/mosquitto", folder_ / "broker"), "broker");
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256), "server key");
    const auto csr = must(ca::make_csr(key, {{}, {"localhost"}, {"127.0.0.1"}}), "server CSR");
    Options options{.host = "127.0.0.1",
                    .port = 0,
                    .tls_certificate_chain_pem = issue(csr, "server").pem(),
                    .tls_key = key,
                    .upstream = broker_->upstream(),
                    .flow_threads = 8};
    if (adjust) adjust(options);
    gateway_ = must(Gateway::start(*service_, std::move(options)), "gateway");
}

World::~World() {
    gateway_.reset();
    broker_.reset();
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void World::register_records() {
    const Time now = clock_now();
    const registry::Account& account = service_->settings.account;
    must(store_->write([&](store::Tx& tx) -> Result<> {
        for (const auto& [name, document] :
             {std::pair{"device", kDevicePolicy}, std::pair{"claim", kClaimPolicy}}) {
            auto policy = registry::create_policy(tx, account, name, document, now);
            if (!policy) return std::move(policy).error();
        }
        registry::ProvisioningTemplate wanted;
        wanted.enabled = true;
        wanted.role_arn = "arn:aws:iam::123456789012:role/r";
        wanted.name = "jitp";
        wanted.is_jitp = true;
        wanted.body = kJitpTemplate;
        if (auto made = registry::create_template(tx, account, wanted, now); !made) {
            return std::move(made).error();
        }
        wanted.name = "claims";
        wanted.is_jitp = false;
        wanted.body = kClaimTemplate;
        if (auto made = registry::create_template(tx, account, wanted, now); !made) {
            return std::move(made).error();
        }
        registry::CaCertificate ca;
        ca.active = true;
        ca.auto_registration = true;
        ca.registration = registry::RegistrationConfig{"jitp", std::nullopt, std::nullopt};
        if (auto made = registry::add_ca(tx, account, *root_, ca, now); !made) {
            return std::move(made).error();
        }
        return {};
    }),
         "records");
}

ca::Certificate World::issue(const std::string& csr_pem, const std::string& profile) {
    const auto csr = must(ca::Csr::parse(bytes_of(csr_pem)), "CSR");
    return must(
        flows::issue(
            *store_, *ledger_, *issuer_, csr, profiles_.find(profile)->second, "test", clock_now()),
        "certificate");
}

Identity World::write(const std::string& name,
                      const CertificateId& id,
                      std::string certificate_pem,
                      std::string key_pem) {
    Identity identity{id,
                      std::move(certificate_pem),
                      std::move(key_pem),
                      folder_ / (name + ".pem"),
                      folder_ / (name + ".key")};
    std::ofstream(identity.certificate_file) << identity.certificate_pem;
    std::ofstream(identity.key_file) << identity.key_pem;
    return identity;
}

Identity World::make_device(const std::string& name) {
    const auto key = must(ca::PrivateKey::generate(ca::KeyKind::P256), "device key");
    const auto csr = must(ca::make_csr(key, {{{"2.5.4.3", name}}, {}, {}}), "device CSR");
    const auto certificate = issue(csr, "device");
    const Secret key_pem = must(key.to_plain_pem(), "device key");
    return write(name, certificate.id(), certificate.pem(), std::string(key_pem.text()));
}

Identity World::make_v1_device(const std::string& name,
                               int rsa_bits,
                               bool signed_by_registered_ca) {
    const Owned<EVP_PKEY, EVP_PKEY_free> key(
        EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(rsa_bits)));
    const Owned<X509, X509_free> certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 4711);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86'400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()),
                               "CN",
                               MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()),
                               -1,
                               -1,
                               0);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(root_->handle()));
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(
        certificate.get(), signed_by_registered_ca ? root_key_->handle() : key.get(), EVP_sha256());
    const Owned<BIO, BIO_free_all> certificate_bio(BIO_new(BIO_s_mem()));
    const Owned<BIO, BIO_free_all> key_bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(certificate_bio.get(), certificate.get());
    PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::string pem = read_bio(certificate_bio.get());
    const auto parsed = must(ca::Certificate::from_pem(pem), "version 1 certificate");
    return write(name, parsed.id(), std::move(pem), read_bio(key_bio.get()));
}

Identity World::make_claim() {
    Identity identity = make_device("claim-certificate");
    const auto certificate = must(ca::Certificate::from_pem(identity.certificate_pem), "claim");
    must(store_->write([&](store::Tx& tx) -> Result<> {
        auto added = registry::add_certificate(tx,
                                               service_->settings.account,
                                               certificate,
                                               registry::CertificateStatus::Active,
                                               std::nullopt,
                                               registry::CertificateMode::Default,
                                               clock_now());
        if (!added) return std::move(added).error();
        return registry::attach_policy_to_certificate(tx, "claim", identity.id);
    }),
         "claim certificate");
    return identity;
}

std::optional<registry::CertificateStatus> World::status_of(const Identity& identity) {
    auto found = store_->read(
        [&](store::Reader& reader) { return registry::find_certificate(reader, identity.id); });
    if (!found) return std::nullopt;
    return found->status;
}

void World::set_status(const Identity& identity, registry::CertificateStatus status) {
    must(store_->write([&](store::Tx& tx) {
        return registry::set_certificate_status(tx, identity.id, status, clock_now());
    }),
         "status");
}

void World::change_device_policy(const std::string& document) {
    must(store_->write([&](store::Tx& tx) -> Result<> {
        auto version = registry::create_policy_version(tx, "device", document, true, clock_now());
        if (!version) return std::move(version).error();
        return {};
    }),
         "policy version");
}

void World::set_attribute(const std::string& thing,
                          const std::string& name,
                          const std::string& value) {
    registry::ThingUpdate update;
    update.attributes.emplace()[name] = value;
    must(store_->write([&](store::Tx& tx) { return registry::update_thing(tx, thing, update); }),
         "attribute");
}

void World::set_mode(const Identity& identity, registry::CertificateMode mode) {
    must(store_->write([&](store::Tx& tx) -> Result<> {
        tx.touch_identities();
        return tx
            .query("UPDATE certificates SET mode = ? WHERE id = ?",
                   static_cast<int>(mode),
                   identity.id.view())
            .run();
    }),
         "mode");
}

void World::remove_registration_template() {
    must(store_->write([&](store::Tx& tx) {
        registry::CaUpdate update;
        update.remove_registration = true;
        return registry::update_ca(tx, root_->id(), update, clock_now());
    }),
         "CA");
}

bool World::has_thing(const std::string& name) {
    return store_->read([&](store::Reader& reader) { return registry::find_thing(reader, name); })
        .has_value();
}

Ran run(const std::string& command) {
    Ran ran;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return ran;
    std::array<char, 1024> chunk{};
    while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
        ran.output.append(chunk.data(), count);
    }
    const int status = ::pclose(pipe);
    ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

Collector::Collector(const World& world, const std::string& filter) {
    const std::string command =
        "mosquitto_sub --unix " + world.socket() + " -c -i collector -q 1 -v -t '" + filter + "'";
    // A persistent session: what comes after this subscription waits for the reader below, which
    // stays, since a reader that left could be told its last messages once more (QoS 1).
    const Ran subscribed = run(command + " -E");
    EXPECT_EQ(subscribed.exit_code, 0) << subscribed.output;
    reader_ = ::popen(("echo $$; exec " + command + " -W 300").c_str(), "r");
    pid_ = std::stoi(next_line());
}

Collector::~Collector() {
    // Its handler of SIGTERM takes a lock that the thread it interrupts may hold.
    ::kill(pid_, SIGKILL);
    ::pclose(reader_);
}

std::vector<std::string> Collector::take(int count) const {
    std::vector<std::string> lines;
    for (int i = 0; i < count; ++i)
        lines.push_back(next_line());
    return lines;
}

std::string Collector::next_line() const {
    std::string line;
    for (int c = std::fgetc(reader_); c != '\n'; c = std::fgetc(reader_)) {
        if (c == EOF) throw std::runtime_error("the collector ended; read so far: " + line);
        line.push_back(static_cast<char>(c));
    }
    return line;
}

}  // namespace hatchery::gateway
