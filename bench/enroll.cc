// A station's certificates over HTTPS, mutual TLS and keep-alive, against a server that runs
// already: HATCHERY_BENCH_CLIENTS (32 unless set) connections, every request a new P-256 CSR, the
// ledger on disk before each answer. bench/enroll.sh starts the server and sets the environment:
// HATCHERY_BENCH_PORT, _ROOT, _CERTIFICATE, _KEY (files) and HATCHERY_SERVER_PID. Names:
//   enroll/json, enroll/pem, enroll/est  the three forms of a request
//   limit/loop       the same clients and TLS against a bare loop in this process: find the length,
//                    one EVP verify, one EVP sign, append to a file with one fdatasync a group
//   limit/evp        one EVP verify and one EVP sign, nothing else
//   limit/fdatasync  append 4 KiB, fdatasync
#include "ca/base/bytes.h"
#include "ca/csr.h"
#include "ca/issuer.h"
#include "ca/key.h"

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace hatchery;

std::string setting(const char* name, const char* otherwise = nullptr) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    if (value != nullptr) return value;
    if (otherwise != nullptr) return otherwise;
    std::cerr << "expected " << name << " in the environment; see bench/enroll.sh\n";
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): before any thread
}

std::size_t count_of(const char* name, const char* otherwise) {
    return std::stoul(setting(name, otherwise));
}

/// CPU seconds of the server so far: utime and stime of /proc/PID/stat, fields 14 and 15.
double server_cpu() {
    std::ifstream file("/proc/" + setting("HATCHERY_SERVER_PID") + "/stat");
    std::string text;
    std::getline(file, text);
    long user = 0, system = 0;
    std::sscanf(text.c_str() + text.rfind(')') + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                &user,
                &system);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

[[noreturn]] void give_up(const char* what) {
    std::cerr << what << "\n";
    std::abort();
}

using Context = std::shared_ptr<SSL_CTX>;

Context client_context() {
    Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const bool good =
        SSL_CTX_use_certificate_chain_file(context.get(),
                                           setting("HATCHERY_BENCH_CERTIFICATE").c_str()) == 1 &&
        SSL_CTX_use_PrivateKey_file(
            context.get(), setting("HATCHERY_BENCH_KEY").c_str(), SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_load_verify_locations(
            context.get(), setting("HATCHERY_BENCH_ROOT").c_str(), nullptr) == 1;
    if (!good) give_up("the station's certificate, its key or the root cannot be read");
    return context;
}

/// The bare loop's: the station's own certificate will do.
Context server_context() {
    Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    const bool good =
        SSL_CTX_use_certificate_chain_file(context.get(),
                                           setting("HATCHERY_BENCH_CERTIFICATE").c_str()) == 1 &&
        SSL_CTX_use_PrivateKey_file(
            context.get(), setting("HATCHERY_BENCH_KEY").c_str(), SSL_FILETYPE_PEM) == 1;
    if (!good) give_up("the station's certificate or its key cannot be read");
    SSL_CTX_set_num_tickets(context.get(), 0);
    return context;
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void no_delay(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// One TLS connection, either side; reads whole HTTP messages with a Content-Length.
class Peer {
  public:
    Peer(int socket, SSL_CTX* context, bool is_client)
        : socket_(socket), ssl_(SSL_new(context), SSL_free) {
        no_delay(socket_);
        SSL_set_fd(ssl_.get(), socket_);
        if ((is_client ? SSL_connect(ssl_.get()) : SSL_accept(ssl_.get())) != 1)
            give_up("no TLS handshake");
    }
    static std::unique_ptr<Peer> connect(int port, SSL_CTX* context) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = loopback(port);
        // The sockets interface wants this cast.
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        if (::connect(socket, generic, sizeof address) != 0) give_up("cannot connect");
        return std::make_unique<Peer>(socket, context, true);
    }
    ~Peer() {
        SSL_shutdown(ssl_.get());
        ::close(socket_);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void write(const std::string& text) {
        if (SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) <= 0)
            give_up("the peer is gone");
    }
    /// The next message; false at the end.
    bool read() {
        text_.erase(0, whole_);
        whole_ = 0;
        std::size_t head = 0;
        while (whole_ == 0 || text_.size() < whole_) {
            if (whole_ == 0 && (head = text_.find("\r\n\r\n")) != std::string::npos) {
                body_ = head + 4;
                const auto length = text_.find("Content-Length: ");
                if (length > head) give_up("a message without a length");
                whole_ = body_ + std::stoul(text_.substr(length + 16, 12));
                continue;
            }
            char buffer[8192];
            const int got = SSL_read(ssl_.get(), buffer, sizeof buffer);
            if (got <= 0) return false;
            text_.append(buffer, static_cast<std::size_t>(got));
        }
        return true;
    }
    std::string_view body() const { return std::string_view(text_).substr(body_, whole_ - body_); }
    std::string_view status() const { return std::string_view(text_).substr(9, 3); }
    std::string_view message() const { return std::string_view(text_).substr(0, whole_); }

  private:
    int socket_;
    std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
    std::string text_;
    std::size_t body_ = 0, whole_ = 0;
};

/// Requests that were never sent before; made in advance, on every core.
class Requests {
  public:
    using Form = std::function<std::string(const std::string& csr_pem, ByteView csr_der)>;

    Requests(std::size_t count, const Form& form) : texts_(count) {
        static std::atomic<std::size_t> serial{0};
        // A run of its own each time: the server remembers what it has issued.
        static const std::string run =
            std::to_string(std::chrono::system_clock::now().time_since_epoch().count() / 1'000'000);
        std::atomic<std::size_t> next{0};
        const auto make = [&] {
            for (std::size_t i = next++; i < count; i = next++) {
                const std::string name = run + "-" + std::to_string(serial++);
                const auto key = ca::PrivateKey::generate(ca::KeyKind::P256).value();
                const std::string pem =
                    ca::make_csr(key, {{{"2.5.4.3", "Model 7"}, {"2.5.4.5", name}}, {}, {}})
                        .value();
                texts_[i] = form(pem, ca::Csr::parse(bytes_of(pem)).value().fields().der);
            }
        };
        std::vector<std::jthread> others;
        for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i)
            others.emplace_back(make);
        make();
    }
    const std::vector<std::string>& texts() const { return texts_; }

  private:
    std::vector<std::string> texts_;
};

std::string post(const std::string& path, const std::string& type, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string json_form(const std::string& pem, ByteView /*der*/) {
    std::string escaped;
    for (const char c : pem)
        escaped += c == '\n' ? "\\n" : std::string(1, c);
    return post("/v1/certificates",
                "application/json",
                R"({"profile":"device","certificateSigningRequest":")" + escaped + "\"}");
}
std::string pem_form(const std::string& pem, ByteView /*der*/) {
    return post("/", "application/x-pem-file", pem);
}
std::string est_form(const std::string& /*pem*/, ByteView der) {
    return post("/.well-known/est/simpleenroll", "application/pkcs10", to_base64(der));
}

/// Sends every request over all clients; latencies in microseconds, sorted.
std::vector<double> send_all(int port, const std::vector<std::string>& requests) {
    const Context context = client_context();
    std::vector<std::unique_ptr<Peer>> peers(count_of("HATCHERY_BENCH_CLIENTS", "32"));
    for (auto& peer : peers)
        peer = Peer::connect(port, context.get());
    std::vector<std::vector<double>> times(peers.size());
    std::atomic<std::size_t> next{0};
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < peers.size(); ++i) {
            threads.emplace_back([&, i] {
                for (std::size_t at = next++; at < requests.size(); at = next++) {
                    const auto start = std::chrono::steady_clock::now();
                    peers[i]->write(requests[at]);
                    if (!peers[i]->read() || !peers[i]->status().starts_with("20")) {
                        std::cerr << peers[i]->message() << "\n";
                        give_up("refused");
                    }
                    const std::chrono::duration<double, std::micro> took =
                        std::chrono::steady_clock::now() - start;
                    times[i].push_back(took.count());
                }
            });
        }
    }
    std::vector<double> all;
    for (const auto& some : times)
        all.insert(all.end(), some.begin(), some.end());
    std::ranges::sort(all);
    return all;
}

/// @param cpu  CPU seconds of the serving side so far
void measure(benchmark::State& state,
             int port,
             const Requests::Form& form,
             const std::function<double()>& cpu) {
    const Requests requests(count_of("HATCHERY_BENCH_CERTIFICATES", "20000"), form);
    const auto count = static_cast<double>(requests.texts().size());
    for (auto _ : state) {
        const double before = cpu();
        const auto start = std::chrono::steady_clock::now();
        const auto times = send_all(port, requests.texts());
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        state.SetIterationTime(took.count());
        state.counters["per_second"] = count / took.count();
        state.counters["server_cpu_us"] = (cpu() - before) * 1e6 / count;
        state.counters["p50_us"] = times[times.size() / 2];
        state.counters["p99_us"] = times[times.size() * 99 / 100];
    }
}

void enroll(benchmark::State& state, const Requests::Form& form) {
    measure(state, std::stoi(setting("HATCHERY_BENCH_PORT")), form, server_cpu);
}
BENCHMARK_CAPTURE(enroll, json, json_form)->UseManualTime()->Iterations(1);
BENCHMARK_CAPTURE(enroll, pem, pem_form)->UseManualTime()->Iterations(1);
BENCHMARK_CAPTURE(enroll, est, est_form)->UseManualTime()->Iterations(1);

using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

std::string evp_sign(EVP_PKEY* key, ByteView data) {
    const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string signature(512, '\0');
    std::size_t size = signature.size();
    // OpenSSL's bytes are unsigned.
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(context.get(), out, &size, data.data(), data.size());
    signature.resize(size);
    return signature;
}
bool evp_verify(EVP_PKEY* key, std::string_view signature, ByteView data) {
    const Digest context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    const ByteView bytes = bytes_of(signature);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key);
    return EVP_DigestVerify(context.get(), bytes.data(), bytes.size(), data.data(), data.size()) ==
           1;
}

/// What one certificate cannot do without: a proof that was made by a device, and the CA's key of
/// the kind that the server has (HATCHERY_BENCH_CA_KEY, p256 unless set).
struct Work {
    ca::PrivateKey device = ca::PrivateKey::generate(ca::KeyKind::P256).value();
    ca::PrivateKey authority =
        ca::PrivateKey::generate(
            ca::parse_key_kind(setting("HATCHERY_BENCH_CA_KEY", "p256")).value())
            .value();
    Bytes data = Bytes(300, 7);  // about the size of a request's and a certificate's signed part
    std::string proof = evp_sign(device.handle(), data);

    std::string run() const {
        if (!evp_verify(device.handle(), proof, data)) give_up("no verification");
        return evp_sign(authority.handle(), data);
    }
};

/// A file whose appenders wait for a common fdatasync.
class GroupLog {
  public:
    explicit GroupLog(const std::string& path)
        : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
    ~GroupLog() { ::close(file_); }
    GroupLog(const GroupLog&) = delete;
    GroupLog& operator=(const GroupLog&) = delete;

    void append(std::string_view text) {
        std::unique_lock lock(mutex_);
        pending_ += text;
        const std::uint64_t mine = ++asked_;
        while (synced_ < mine) {
            if (is_syncing_) {
                done_.wait(lock);
                continue;
            }
            is_syncing_ = true;
            const std::string batch = std::move(pending_);
            pending_.clear();
            const std::uint64_t upto = asked_;
            lock.unlock();
            const bool good = ::write(file_, batch.data(), batch.size()) > 0 && !::fdatasync(file_);
            lock.lock();
            if (!good) give_up("cannot write the log");
            is_syncing_ = false;
            synced_ = upto;
            done_.notify_all();
        }
    }

  private:
    int file_;
    std::mutex mutex_;  // guards what is below
    std::condition_variable done_;
    std::string pending_;
    std::uint64_t asked_ = 0, synced_ = 0;
    bool is_syncing_ = false;
};

std::string scratch(const char* name) {
    return setting("HATCHERY_BENCH_FOLDER", ".") + "/" + name;
}

/// A thread a connection, as the server has.
class BareLoop {
  public:
    BareLoop() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        // The sockets interface wants this cast.
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listening_, generic, size) != 0 || ::listen(listening_, 64) != 0 ||
            ::getsockname(listening_, generic, &size) != 0) {
            give_up("cannot listen");
        }
        port_ = ntohs(address.sin_port);
        accepting_ = std::jthread([this] { accept_all(); });
    }
    ~BareLoop() {
        ::shutdown(listening_, SHUT_RDWR);
        accepting_.join();
        threads_.clear();
        ::close(listening_);
    }
    BareLoop(const BareLoop&) = delete;
    BareLoop& operator=(const BareLoop&) = delete;

    int port() const { return port_; }
    double cpu() const { return static_cast<double>(cpu_ns_.load()) / 1e9; }

  private:
    static std::int64_t own_cpu_ns() {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return time.tv_sec * 1'000'000'000 + time.tv_nsec;
    }
    void accept_all() {
        for (;;) {
            const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
            if (socket < 0) return;
            threads_.emplace_back([this, socket] { serve(socket); });
        }
    }
    void serve(int socket) {
        Peer peer(socket, context_.get(), false);
        std::int64_t before = 0;
        while (peer.read()) {
            const std::string signature = work_.run();
            log_.append(std::string(peer.body()) + signature);
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(1200) + "\r\n\r\n" +
                       std::string(1200, 'c'));
            const std::int64_t now = own_cpu_ns();
            cpu_ns_ += now - before;
            before = now;
        }
    }

    Context context_ = server_context();
    Work work_;
    GroupLog log_{scratch("loop.log")};
    std::atomic<std::int64_t> cpu_ns_{0};
    int listening_;
    int port_ = 0;
    std::vector<std::jthread> threads_;
    std::jthread accepting_;
};

void limit_loop(benchmark::State& state) {
    const BareLoop loop;
    measure(state, loop.port(), pem_form, [&] { return loop.cpu(); });
}
BENCHMARK(limit_loop)->Name("limit/loop")->UseManualTime()->Iterations(1);

void limit_evp(benchmark::State& state) {
    const Work work;
    for (auto _ : state)
        benchmark::DoNotOptimize(work.run());
}
BENCHMARK(limit_evp)->Name("limit/evp");

void limit_fdatasync(benchmark::State& state) {
    GroupLog log(scratch("fdatasync.log"));
    const std::string page(4096, 'p');
    for (auto _ : state)
        log.append(page);
}
BENCHMARK(limit_fdatasync)->Name("limit/fdatasync")->UseRealTime();

}  // namespace
