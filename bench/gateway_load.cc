// Many devices on one thread.
#include "bench/gateway.h"
#include "tools/fleet/mqtt_packet.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nlohmann/json.hpp>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <sstream>
#include <thread>
#include <unordered_map>

namespace hatchery::bench {
namespace {

using nlohmann::json;

constexpr int kEvents = 256;
constexpr std::uint16_t kKeepAlive = 1200;
constexpr std::size_t kPayload = 100;
constexpr std::size_t kSourceAddresses = 16;  // each has its own ports
constexpr std::string_view kCreateCsr = "$aws/certificates/create-from-csr/json";
constexpr std::string_view kCreateKeys = "$aws/certificates/create/json";

struct Usage {
    double user_us = 0, system_us = 0, kib = 0;
};

/// proc(5): /proc/PID/stat, clock ticks; all threads, those that ended included.
Usage usage_of(long process) {
    Usage usage;
    if (process == 0) return usage;
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 2)));
    std::string field;
    double ticks_user = 0;
    double ticks_system = 0;
    double pages = 0;
    for (int i = 3; i <= 24 && fields >> field; ++i) {
        if (i == 14) ticks_user = std::stod(field);
        if (i == 15) ticks_system = std::stod(field);
        if (i == 24) pages = std::stod(field);
    }
    const double us = 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
    usage.user_us = ticks_user * us;
    usage.system_us = ticks_system * us;
    usage.kib = pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
    return usage;
}

/// Until the server has nothing left to do for us: what it writes afterwards is its cost too.
Usage settled_usage_of(long process) {
    Usage last = usage_of(process);
    for (int i = 0; process != 0 && i < 40; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(250));
        const Usage next = usage_of(process);
        const double used = next.user_us + next.system_us - last.user_us - last.system_us;
        last = next;
        if (used < 20'000) break;
    }
    return last;
}

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) give_up("cannot read " + path);
    return text.str();
}

/// The key and certificate that every claim connection shares.
Device claim_device(const LoadOptions& options) {
    const auto key_text = read_text(options.claim_key);
    const auto certificate_text = read_text(options.claim_certificate);
    const std::unique_ptr<BIO, decltype(&BIO_free)> key(
        BIO_new_mem_buf(key_text.data(), static_cast<int>(key_text.size())), BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> certificate(
        BIO_new_mem_buf(certificate_text.data(), static_cast<int>(certificate_text.size())),
        BIO_free);
    Device device;
    device.key = {PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
    device.certificate = {PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr),
                          X509_free};
    if (!device.key || !device.certificate) give_up("the claim certificate or key cannot be read");
    return device;
}

/// The request of a device that keeps its key.
std::string csr_of(const Device& device) {
    const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request(X509_REQ_new(),
                                                                      X509_REQ_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
    X509_REQ_set_subject_name(request.get(), X509_get_subject_name(device.certificate.get()));
    X509_REQ_set_pubkey(request.get(), device.key.get());
    X509_REQ_sign(request.get(), device.key.get(), EVP_sha256());
    if (PEM_write_bio_X509_REQ(text.get(), request.get()) != 1) give_up("no CSR");
    char* data = nullptr;
    const long size = BIO_ctrl(text.get(), BIO_CTRL_INFO, 0, &data);
    return {data, static_cast<std::size_t>(size)};
}

Bytes encode_publish_qos0(std::string_view topic, std::string_view payload) {
    Bytes packet = fleet::encode_publish(1, topic, payload);
    const std::size_t header = (packet[1] & 0x80U) != 0 ? 3 : 2;
    const auto id = static_cast<std::ptrdiff_t>(header + 2 + topic.size());
    packet.erase(packet.begin() + id, packet.begin() + id + 2);
    packet[0] = 0x30;
    if (header == 3) {
        const auto size = static_cast<unsigned>(packet.size() - header);
        packet[1] = static_cast<std::uint8_t>(0x80U | (size & 0x7fU));
        packet[2] = static_cast<std::uint8_t>(size >> 7U);
    } else {
        packet[1] = static_cast<std::uint8_t>(packet.size() - header);
    }
    return packet;
}

std::string filled(std::string text, const std::string& thing) {
    const std::string place = "{thing}";
    if (const auto at = text.find(place); at != std::string::npos)
        text.replace(at, place.size(), thing);
    return text;
}

enum class Step { GoesOn, Done, Failed };

/// What all devices of a run share.
struct Shared {
    const LoadOptions& options;
    SSL_CTX* context;
    LoadResult& result;
    std::vector<std::uint8_t> scratch = std::vector<std::uint8_t>(16'384);
    /// Watch: when which device publishes next, in order.
    std::deque<std::pair<Clock::time_point, class Client*>> due{};
    Clock::time_point end = Clock::time_point::max();
};

class Client {
  public:
    Client(Shared& shared, const Device& device, std::string name, std::string csr)
        : shared_(shared), name_(std::move(name)), csr_(std::move(csr)), started_(Clock::now()) {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket_ < 0) give_up(std::string("socket: ") + std::strerror(errno));
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connect();
        ssl_.reset(SSL_new(shared.context));
        SSL_use_certificate(ssl_.get(), device.certificate.get());
        SSL_use_PrivateKey(ssl_.get(), device.key.get());
        SSL_set_fd(ssl_.get(), socket_);
        SSL_set_connect_state(ssl_.get());
    }
    ~Client() {
        if (SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
        ERR_clear_error();
        ::close(socket_);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    int socket() const { return socket_; }
    const std::string& failure() const { return failure_; }

    Step go_on() {
        if (!is_open_) {
            ERR_clear_error();
            const int done = SSL_do_handshake(ssl_.get());
            if (done != 1) return waits(done);
            is_open_ = true;
            send(fleet::encode_connect(name_, kKeepAlive));
        }
        while (true) {
            if (const Step step = publish_more(); step != Step::GoesOn) return step;
            ERR_clear_error();
            std::size_t count = 0;
            const int done =
                SSL_read_ex(ssl_.get(), shared_.scratch.data(), shared_.scratch.size(), &count);
            if (done != 1) return waits(done);
            reader_.feed(std::span(shared_.scratch).first(count));
            while (true) {
                auto packet = reader_.next();
                if (!packet) return failed(packet.error().message);
                if (!*packet) break;
                if (const Step step = take(**packet); step != Step::GoesOn) return step;
            }
        }
    }

    /// Watch: one publish more, or the end.
    void publish_one() {
        started_ = Clock::now();
        send(fleet::encode_publish(next_id(), topic(), std::string(kPayload, 'x')));
    }

  private:
    void connect() {
        sockaddr_in source{};
        source.sin_family = AF_INET;
        static unsigned turn = 0;
        source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + ++turn % kSourceAddresses);
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
            give_up(std::string("bind: ") + std::strerror(errno));
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(shared_.options.port));
        ::inet_pton(AF_INET, shared_.options.host.c_str(), &address.sin_addr);
        const int done =
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        if (done != 0 && errno != EINPROGRESS)
            give_up(std::string("connect: ") + std::strerror(errno));
    }

    Step failed(std::string why) {
        failure_ = std::move(why);
        return Step::Failed;
    }

    Step waits(int outcome) {
        const int error = SSL_get_error(ssl_.get(), outcome);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Step::GoesOn;
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        return failed(std::string(is_open_ ? "closed: " : "handshake: ") +
                      (reason != nullptr ? reason : std::strerror(errno)));
    }

    void send(ByteView bytes) {
        std::size_t written = 0;
        if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) != 1) {
            give_up("a small packet was not taken at once");
        }
    }

    std::uint16_t next_id() { return ++packet_id_ == 0 ? ++packet_id_ : packet_id_; }
    std::string topic() const { return filled(shared_.options.topic, name_); }
    std::string create_topic() const {
        return std::string(shared_.options.load == Load::ClaimCsr ? kCreateCsr : kCreateKeys);
    }
    std::string register_topic() const {
        return "$aws/provisioning-templates/" + shared_.options.claim_template + "/provision/json";
    }

    Step take(const fleet::Packet& packet) {
        switch (packet.type) {
            case fleet::PacketType::Connack:
                return connected(packet);
            case fleet::PacketType::Suback:
                send(fleet::encode_publish(
                    next_id(),
                    create_topic(),
                    csr_.empty() ? "" : json{{"certificateSigningRequest", csr_}}.dump()));
                return Step::GoesOn;
            case fleet::PacketType::Puback:
                return acknowledged();
            case fleet::PacketType::Publish:
                return answered(packet);
            default:
                return failed("a packet that nobody asked for");
        }
    }

    Step connected(const fleet::Packet& packet) {
        if (packet.body.size() != 2 || packet.body[1] != 0) return failed("CONNACK says no");
        is_connected_ = true;
        switch (shared_.options.load) {
            case Load::Connect:
                send(fleet::encode_disconnect());
                return finish();
            case Load::Hold:
                return finish();
            case Load::Publish:
                left_ = shared_.options.publishes;
                packet_ = encode_publish_qos0(topic(), std::string(kPayload, 'x'));
                return Step::GoesOn;
            case Load::Watch:
                publish_one();
                return Step::GoesOn;
            default:
                send(fleet::encode_subscribe(next_id(),
                                             {create_topic() + "/accepted",
                                              create_topic() + "/rejected",
                                              register_topic() + "/accepted",
                                              register_topic() + "/rejected"}));
                return Step::GoesOn;
        }
    }

    Step finish() {
        shared_.result.ms.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - started_).count());
        return Step::Done;
    }

    /// As much of the publishes as the socket takes.
    Step publish_more() {
        while (is_connected_ && left_ > 0) {
            ERR_clear_error();
            std::size_t written = 0;
            const int done = SSL_write_ex(ssl_.get(), packet_.data(), packet_.size(), &written);
            if (done != 1) {
                if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_WRITE) return Step::GoesOn;
                return waits(done);
            }
            if (--left_ == 0) publish_one();  // its PUBACK is the end
        }
        return Step::GoesOn;
    }

    Step acknowledged() {
        switch (shared_.options.load) {
            case Load::Publish:
                send(fleet::encode_disconnect());
                return finish();
            case Load::Watch:
                finish();
                if (Clock::now() >= shared_.end) {
                    send(fleet::encode_disconnect());
                    return Step::Done;
                }
                shared_.due.emplace_back(Clock::now() + shared_.options.pause, this);
                return Step::GoesOn;
            default:  // of a request; its answer counts
                return Step::GoesOn;
        }
    }

    Step answered(const fleet::Packet& packet) {
        const auto message = fleet::parse_publish(packet);
        if (!message) return failed(message.error().message);
        if (message->qos == 1) send(fleet::encode_puback(message->packet_id));
        if (message->topic.ends_with("/rejected")) return failed(message->payload);
        if (message->topic == register_topic() + "/accepted") {
            send(fleet::encode_disconnect());
            return finish();
        }
        const auto answer = json::parse(message->payload, nullptr, false);
        const json request{
            {"certificateOwnershipToken", answer.value("certificateOwnershipToken", "")},
            {"parameters", {{"SerialNumber", name_}}}};
        send(fleet::encode_publish(next_id(), register_topic(), request.dump()));
        return Step::GoesOn;
    }

    struct SslFree {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    Shared& shared_;
    std::string name_;
    std::string csr_;
    Clock::time_point started_;
    int socket_ = -1;
    std::unique_ptr<SSL, SslFree> ssl_;
    fleet::PacketReader reader_;
    bool is_open_ = false;
    bool is_connected_ = false;
    std::uint16_t packet_id_ = 0;
    std::size_t left_ = 0;
    Bytes packet_;
    std::string failure_;
};

SSL_CTX* make_client_context() {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    // The server's chain is the devices' own cost; its signature is verified all the same.
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, nullptr);
    SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, nullptr);
    return context;
}

volatile std::sig_atomic_t is_watched_enough = 0;

class Run {
  public:
    Run(const LoadOptions& options, LoadResult& result)
        : options_(options),
          shared_{options, make_client_context(), result},
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        const bool is_claim = options.load == Load::ClaimCsr || options.load == Load::ClaimKeys;
        devices_ = load_devices(options.directory, options.from, options.count);
        if (is_claim) claim_ = claim_device(options);
        if (options.load != Load::ClaimCsr) return;
        for (const auto& device : devices_)
            csrs_.push_back(csr_of(device));
    }
    ~Run() {
        clients_.clear();
        SSL_CTX_free(shared_.context);
        ::close(epoll_);
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    void go() {
        if (options_.load == Load::Watch) {
            shared_.end = Clock::now() + options_.duration;
            std::signal(SIGTERM, [](int) { is_watched_enough = 1; });
        }
        std::array<epoll_event, kEvents> events{};
        while (true) {
            while (next_ < devices_.size() && running_ < options_.at_once)
                start();
            if (running_ == 0) return;
            if (is_watched_enough != 0) shared_.end = Clock::now();
            const int count = ::epoll_wait(epoll_, events.data(), kEvents, wait_ms());
            for (int i = 0; i < count; ++i)
                go_on(events[static_cast<std::size_t>(i)].data.fd);
            publish_due();
        }
    }

  private:
    void start() {
        const std::size_t i = next_++;
        const bool is_claim = claim_.key != nullptr;
        auto client = std::make_unique<Client>(shared_,
                                               is_claim ? claim_ : devices_[i],
                                               devices_[i].name,
                                               csrs_.empty() ? std::string() : csrs_[i]);
        const int socket = client->socket();
        epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {}};
        event.data.fd = socket;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
        clients_.emplace(socket, std::move(client));
        ++running_;
    }

    void go_on(int socket) {
        const auto at = clients_.find(socket);
        if (at == clients_.end()) return;
        const Step step = at->second->go_on();
        if (step == Step::GoesOn) return;
        auto& result = shared_.result;
        if (step == Step::Done) ++result.done;
        if (step == Step::Failed && result.failed++ == 0)
            result.first_failure = at->second->failure();
        --running_;
        if (options_.load == Load::Hold && step == Step::Done) {
            ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
        } else {
            std::erase_if(shared_.due,
                          [&](const auto& due) { return due.second == at->second.get(); });
            clients_.erase(at);
        }
    }

    int wait_ms() const {
        if (shared_.due.empty()) return 1000;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(shared_.due.front().first - Clock::now());
        return static_cast<int>(std::max<std::int64_t>(0, left.count()));
    }

    void publish_due() {
        while (!shared_.due.empty() && shared_.due.front().first <= Clock::now()) {
            Client* const client = shared_.due.front().second;
            shared_.due.pop_front();
            client->publish_one();
        }
    }

    const LoadOptions& options_;
    Shared shared_;
    int epoll_;
    std::vector<Device> devices_;
    Device claim_;
    std::vector<std::string> csrs_;
    std::unordered_map<int, std::unique_ptr<Client>> clients_;
    std::size_t next_ = 0;
    std::size_t running_ = 0;
};

}  // namespace

LoadResult run_load(const LoadOptions& options) {
    LoadResult result;
    Run run(options, result);
    const Usage before = settled_usage_of(options.process);
    const auto start = Clock::now();
    run.go();
    result.took = Clock::now() - start;
    const Usage after = settled_usage_of(options.process);
    result.user_us = after.user_us - before.user_us;
    result.system_us = after.system_us - before.system_us;
    result.server_kib = after.kib - before.kib;
    std::sort(result.ms.begin(), result.ms.end());
    return result;
}

}  // namespace hatchery::bench
