// The device's MQTT client against a real mosquitto with mutual TLS; keys and certificates by the
// openssl command.
#include "tools/fleet/mqtt_client.h"

#include "tools/fleet/station.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

namespace hatchery::fleet {
namespace {

namespace fs = std::filesystem;

Deadline soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(60);
}

pid_t spawn(std::vector<std::string> argv) {
    std::vector<char*> pointers;
    for (auto& argument : argv)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_t pid = 0;
    const int error = posix_spawnp(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ);
    EXPECT_EQ(error, 0) << argv[0];
    return pid;
}

void must_run(std::vector<std::string> argv) {
    int status = 1;
    waitpid(spawn(std::move(argv)), &status, 0);
    ASSERT_EQ(status, 0);
}

/// A port that nobody had a moment ago.
int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
    close(socket);
    return ntohs(address.sin_port);
}

/// A CA, a server and a device under it, a device of another CA, and a running broker; once for all
/// tests of the suite.
class MqttClientTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        std::string pattern = (fs::temp_directory_path() / "mqtt.XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        make_ca("ca");
        make_ca("stranger");
        make_leaf("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1");
        make_leaf("device", "ca", "keyUsage=digitalSignature");
        make_leaf("foreign", "stranger", "keyUsage=digitalSignature");
        server_.host = "localhost";
        server_.mqtt_port = free_port();
        server_.ca_file = path("ca.crt");
        misnamed_port_ = free_port();
        std::ofstream(path("conf"))
            << "user root\nallow_anonymous true\nlog_type none\nacl_file " << path("acl") << "\n"
            << listener(server_.mqtt_port, "server") << listener(misnamed_port_, "device");
        std::ofstream(path("acl")) << "topic readwrite open/#\n";
        // Debian installs it where a user's PATH does not lead.
        broker_ = spawn({"/usr/sbin/mosquitto", "-c", path("conf")});
        const auto deadline = soon();
        while (!connect("device", "probe") && std::chrono::steady_clock::now() < deadline)
            std::this_thread::yield();
    }
    static void TearDownTestSuite() {
        if (broker_ > 0) {
            kill(broker_, SIGTERM);
            waitpid(broker_, nullptr, 0);
        }
        fs::remove_all(folder_);
    }

    static std::string path(const std::string& name) { return folder_ + "/" + name; }
    static std::string listener(int port, const std::string& identity_name) {
        return "listener " + std::to_string(port) + " 127.0.0.1\ncafile " + path("ca.crt") +
               "\ncertfile " + path(identity_name + ".crt") + "\nkeyfile " +
               path(identity_name + ".key") + "\nrequire_certificate true\n";
    }
    static void make_ca(const std::string& name) {
        must_run({"openssl",
                  "req",
                  "-x509",
                  "-newkey",
                  "ec",
                  "-pkeyopt",
                  "ec_paramgen_curve:P-256",
                  "-nodes",
                  "-keyout",
                  path(name + ".key"),
                  "-out",
                  path(name + ".crt"),
                  "-days",
                  "2",
                  "-subj",
                  "/CN=" + name});
    }
    static void make_leaf(const std::string& name,
                          const std::string& ca,
                          const std::string& extension) {
        std::ofstream(path(name + ".ext")) << extension << "\n";
        must_run({"openssl",
                  "req",
                  "-newkey",
                  "ec",
                  "-pkeyopt",
                  "ec_paramgen_curve:P-256",
                  "-nodes",
                  "-keyout",
                  path(name + ".key"),
                  "-out",
                  path(name + ".csr"),
                  "-subj",
                  "/CN=" + name});
        must_run({"openssl",
                  "x509",
                  "-req",
                  "-in",
                  path(name + ".csr"),
                  "-CA",
                  path(ca + ".crt"),
                  "-CAkey",
                  path(ca + ".key"),
                  "-CAcreateserial",
                  "-days",
                  "2",
                  "-extfile",
                  path(name + ".ext"),
                  "-out",
                  path(name + ".crt")});
    }
    static Result<MqttClient> connect(const std::string& identity_name,
                                      const std::string& client_id,
                                      const std::string& ca = "ca",
                                      const std::string& host = "localhost",
                                      int port = 0) {
        auto identity = read_identity(path(identity_name + ".crt"), path(identity_name + ".key"));
        if (!identity) return std::move(identity).error();
        auto tls = TlsContext::make(path(ca + ".crt"));
        if (!tls) return std::move(tls).error();
        auto server = server_;
        server.host = host;
        if (port != 0) server.mqtt_port = port;
        return MqttClient::connect(*tls, *identity, server, client_id, soon());
    }

    static std::string folder_;
    static Server server_;
    static int misnamed_port_;  ///< of a listener whose certificate names another host
    static pid_t broker_;
};

std::string MqttClientTest::folder_;
Server MqttClientTest::server_;
int MqttClientTest::misnamed_port_ = 0;
pid_t MqttClientTest::broker_ = 0;

TEST_F(MqttClientTest, PublishesAndReceives) {
    auto client = connect("device", "d1");
    ASSERT_TRUE(client) << to_string(client.error());
    ASSERT_TRUE(client->subscribe({"open/a", "open/b/#"}, soon()));
    const std::string large(100'000, 'x');
    ASSERT_TRUE(client->publish("open/a", "hello", soon()));
    ASSERT_TRUE(client->publish("open/b/c", large, soon()));
    ASSERT_TRUE(client->publish("open/a", "", soon()));
    for (const auto& [topic, payload] : std::vector<std::pair<std::string, std::string>>{
             {"open/a", "hello"}, {"open/b/c", large}, {"open/a", ""}}) {
        const auto message = client->receive(soon());
        ASSERT_TRUE(message) << to_string(message.error());
        EXPECT_EQ(message->topic, topic);
        EXPECT_EQ(message->payload, payload);
        EXPECT_EQ(message->qos, 1);
    }
    client->disconnect(soon());
}

TEST_F(MqttClientTest, ConnectsToAnAddress) {
    const auto client = connect("device", "d2", "ca", "127.0.0.1");
    EXPECT_TRUE(client) << to_string(client.error());
}

TEST_F(MqttClientTest, TrustsNoServerOfAnotherCa) {
    const auto client = connect("device", "d3", "stranger");
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Code::Unavailable);
    EXPECT_EQ(client.error().message,
              "no trust in the server: self-signed certificate in certificate chain");
}

TEST_F(MqttClientTest, TrustsNoServerOfAnotherName) {
    for (const auto& [host, why] : std::map<std::string, std::string>{
             {"localhost", "hostname mismatch"}, {"127.0.0.1", "IP address mismatch"}}) {
        const auto client = connect("device", "d4", "ca", host, misnamed_port_);
        ASSERT_FALSE(client) << host;
        EXPECT_EQ(client.error().code, Code::Unavailable);
        EXPECT_EQ(client.error().message, "no trust in the server: " + why);
    }
}

TEST_F(MqttClientTest, IsRefusedWithACertificateOfAnotherCa) {
    const auto client = connect("foreign", "d5");
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Code::Forbidden);
    EXPECT_EQ(client.error().message, "closed without CONNACK");
}

TEST_F(MqttClientTest, NoticesThatItWasTakenOver) {
    auto first = connect("device", "same");
    ASSERT_TRUE(first);
    auto second = connect("device", "same");
    ASSERT_TRUE(second);
    const auto message = first->receive(soon());
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().code, Code::Forbidden);
}

TEST_F(MqttClientTest, SaysWhatIsWrongWithAnIdentity) {
    EXPECT_EQ(to_string(read_identity(path("none"), path("device.key")).error()),
              "can't read " + path("none"));
    EXPECT_EQ(to_string(read_identity(path("device.crt"), path("server.key")).error()),
              path("device.crt") + ": the certificate is not for this key");
}

TEST_F(MqttClientTest, MakesCsrsThatOpensslAccepts) {
    auto key = ca::PrivateKey::generate(ca::KeyKind::P256);
    ASSERT_TRUE(key);
    Subject subject;
    subject.common_name = "Model, 1";
    subject.organization = "AnyCompany";
    subject.organizational_unit = "Dev";
    subject.dn_qualifier = "AnyType";
    const auto csr = make_csr(*key, subject, "SN-1");
    ASSERT_TRUE(csr);
    std::ofstream(path("made.csr")) << *csr;
    must_run({"openssl", "req", "-in", path("made.csr"), "-verify", "-noout"});
    must_run({"openssl",
              "req",
              "-in",
              path("made.csr"),
              "-noout",
              "-subject",
              "-nameopt",
              "RFC2253",
              "-out",
              path("subject")});
    EXPECT_EQ(*read_file(path("subject")),
              "subject=serialNumber=SN-1,CN=Model\\, 1,dnQualifier=AnyType,OU=Dev,O=AnyCompany\n");
    subject.has_serial_number = false;
    std::ofstream(path("made.csr")) << *make_csr(*key, subject, "SN-1");
    must_run({"openssl",
              "req",
              "-in",
              path("made.csr"),
              "-noout",
              "-subject",
              "-nameopt",
              "RFC2253",
              "-out",
              path("subject")});
    EXPECT_EQ(*read_file(path("subject")),
              "subject=CN=Model\\, 1,dnQualifier=AnyType,OU=Dev,O=AnyCompany\n");
}

}  // namespace
}  // namespace hatchery::fleet
