// CreateThing, DescribeThing, SearchIndex and ListThings over HTTP against a server that runs
// already: HATCHERY_BENCH_CLIENTS (16 unless set) keep-alive connections, every request signed
// (SigV4). The endpoint and the key are in the environment (hatchery env); HATCHERY_SERVER_PID lets
// it report the server's CPU a request. bench/api.sh does all of it. Names:
//   api/create_thing     a new thing with two attributes, durable before it is answered
//   api/describe_thing   one of those
//   api/search_index     the 90 things of one batch, an indexed attribute
//   api/list_things      pages of 250 of all things there are, each client from page to page
//   limit/loopback       bytes of the same size to and fro between two threads, without HTTP
#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/digest.h"

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace hatchery;

std::string setting(const char* name, const char* otherwise = nullptr) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it
    if (value != nullptr) return value;
    if (otherwise != nullptr) return otherwise;
    std::cerr << "expected " << name << " in the environment; see bench/api.sh\n";
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): before any thread
}

/// CPU seconds of the server so far: utime and stime of /proc/PID/stat, fields 14 and 15.
double server_cpu() {
    const std::string pid = setting("HATCHERY_SERVER_PID", "");
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text;
    std::getline(file, text);
    const auto after_name = text.rfind(')');
    if (after_name == std::string::npos) return 0;
    long user = 0, system = 0;
    std::sscanf(text.c_str() + after_name + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                &user,
                &system);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void write_all(int socket, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) std::abort();
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

/// One keep-alive connection that signs what it sends.
class Client {
  public:
    Client()
        : host_(setting("HATCHERY_ENDPOINT").substr(std::string("http://").size())),
          id_(setting("AWS_ACCESS_KEY_ID")),
          secret_(setting("AWS_SECRET_ACCESS_KEY")),
          region_(setting("AWS_DEFAULT_REGION")) {
        const auto colon = host_.find(':');
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(host_.substr(colon + 1))));
        inet_pton(AF_INET, host_.substr(0, colon).c_str(), &address.sin_addr);
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        // The sockets interface wants this cast.
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        if (::connect(socket_, generic, sizeof address) != 0) std::abort();
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// The last answer, head and body.
    const std::string& answer() const { return answer_; }
    /// The status of the answer.
    int call(const std::string& method, const std::string& path, const std::string& body) {
        write_all(socket_, request(method, path, body));
        return read_answer();
    }

  private:
    std::string request(const std::string& method,
                        const std::string& target,
                        const std::string& body) {
        const auto mark = target.find('?');
        const std::string path = target.substr(0, mark);
        const std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
        const std::time_t now = std::time(nullptr);
        std::tm parts{};
        gmtime_r(&now, &parts);
        char stamp[17];
        std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
        const std::string time = stamp, day = time.substr(0, 8);
        const std::string scope = day + "/" + region_ + "/iot/aws4_request";
        const std::string canonical = method + "\n" + path + "\n" + query + "\nhost:" + host_ +
                                      "\nx-amz-date:" + time + "\n\nhost;x-amz-date\n" +
                                      to_hex(ca::sha256(bytes_of(body)));
        const std::string to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" +
                                    to_hex(ca::sha256(bytes_of(canonical)));
        if (day != key_day_) {
            key_ = to_bytes(bytes_of("AWS4" + secret_));
            for (const std::string& step :
                 {day, region_, std::string("iot"), std::string("aws4_request")}) {
                const auto next = ca::hmac_sha256(key_, bytes_of(step));
                key_.assign(next.begin(), next.end());
            }
            key_day_ = day;
        }
        return method + " " + target + " HTTP/1.1\r\nHost: " + host_ + "\r\nX-Amz-Date: " + time +
               "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + id_ + "/" + scope +
               ", SignedHeaders=host;x-amz-date, Signature=" +
               to_hex(ca::hmac_sha256(key_, bytes_of(to_sign))) +
               "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    int read_answer() {
        std::string& text = answer_;
        text.clear();
        char buffer[8192];
        std::size_t head_end = std::string::npos;
        std::size_t whole = 0;
        while (head_end == std::string::npos || text.size() < whole) {
            const auto got = ::recv(socket_, buffer, sizeof buffer, 0);
            if (got <= 0) std::abort();
            text.append(buffer, static_cast<std::size_t>(got));
            if (head_end != std::string::npos) continue;
            head_end = text.find("\r\n\r\n");
            if (head_end == std::string::npos) continue;
            const auto length = text.find("Content-Length: ");
            if (length == std::string::npos || length > head_end) std::abort();
            whole = head_end + 4 + static_cast<std::size_t>(std::stoul(text.substr(length + 16)));
        }
        return std::stoi(text.substr(9, 3));
    }

    std::string host_, id_, secret_, region_, key_day_, answer_;
    Bytes key_;
    int socket_ = -1;
};

/// Runs `requests` calls over all clients; latencies in microseconds.
template <class Call>
std::vector<double> run_clients(std::int64_t requests, Call call) {
    const auto clients =
        static_cast<std::size_t>(std::stoul(setting("HATCHERY_BENCH_CLIENTS", "16")));
    std::vector<std::vector<double>> times(clients);
    std::atomic<std::int64_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < clients; ++i) {
        threads.emplace_back([&, i] {
            Client client;
            for (auto number = next++; number < requests; number = next++) {
                const auto start = std::chrono::steady_clock::now();
                if (call(client, number) != 200) std::abort();
                const std::chrono::duration<double, std::micro> took =
                    std::chrono::steady_clock::now() - start;
                times[i].push_back(took.count());
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::vector<double> all;
    for (const auto& some : times)
        all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end());
    return all;
}

constexpr std::int64_t kRequests = 20'000, kPages = 2'000;

std::string thing_path(std::int64_t number) {
    // A run of its own each time, so that CreateThing makes new things.
    static const std::string run = std::to_string(std::time(nullptr));
    return "/things/bench-" + run + "-" + std::to_string(number);
}

template <class Call>
void measure(benchmark::State& state, Call call, std::int64_t requests = kRequests) {
    for (auto _ : state) {
        const double cpu = server_cpu();
        const auto start = std::chrono::steady_clock::now();
        const auto times = run_clients(requests, call);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        state.SetIterationTime(took.count());
        state.counters["per_second"] = static_cast<double>(requests) / took.count();
        state.counters["server_cpu_us"] =
            (server_cpu() - cpu) * 1e6 / static_cast<double>(requests);
        state.counters["p50_us"] = times[times.size() / 2];
        state.counters["p99_us"] = times[times.size() * 99 / 100];
    }
}

constexpr std::int64_t kBatch = 90;  // things, for one page of SearchIndex

void create_thing(benchmark::State& state) {
    measure(state, [](Client& client, std::int64_t number) {
        return client.call("POST",
                           thing_path(number),
                           R"({"attributePayload":{"attributes":{"batch":"made-)" +
                               std::to_string(number / kBatch) + R"(","line":"3"}}})");
    });
}
BENCHMARK(create_thing)->Name("api/create_thing")->UseManualTime()->Iterations(1);

void describe_thing(benchmark::State& state) {
    measure(state, [](Client& client, std::int64_t number) {
        return client.call("GET", thing_path(number), "");
    });
}
BENCHMARK(describe_thing)->Name("api/describe_thing")->UseManualTime()->Iterations(1);

void search_index(benchmark::State& state) {
    // Named for the first time, an attribute is indexed in a walk over all things.
    const int configured = Client().call("POST",
                                         "/indexing/config",
                                         R"({"thingIndexingConfiguration":{"thingIndexingMode":)"
                                         R"("REGISTRY","customFields":[{"name":"attributes.batch",)"
                                         R"("type":"String"}]}})");
    if (configured != 200) std::abort();
    measure(
        state,
        [](Client& client, std::int64_t number) {
            const auto batch = std::to_string(number % (kRequests / kBatch));
            const int status =
                client.call("POST",
                            "/indices/search",
                            R"({"queryString":"attributes.batch:made-)" + batch + R"("})");
            const bool found = client.answer().find("\"thingName\"") != std::string::npos;
            return found ? status : 0;
        },
        kPages);
}
BENCHMARK(search_index)->Name("api/search_index")->UseManualTime()->Iterations(1);

/// The page after `answer`, or the first one; its token percent-encoded.
std::string next_page(const std::string& answer) {
    static const std::string kMember = "\"nextToken\":\"";
    const std::string first = "/things?maxResults=250";
    const auto at = answer.find(kMember);
    if (at == std::string::npos) return first;
    const auto from = at + kMember.size();
    return first + "&nextToken=" +
           percent_encode(answer.substr(from, answer.find('"', from) - from), Slash::Encode);
}

void list_things(benchmark::State& state) {
    measure(
        state,
        [](Client& client, std::int64_t) {
            return client.call("GET", next_page(client.answer()), "");
        },
        kPages);
}
BENCHMARK(list_things)->Name("api/list_things")->UseManualTime()->Iterations(1);

void limit_loopback(benchmark::State& state) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) std::abort();
    std::thread echo([&] {
        char buffer[512];
        while (true) {
            const auto got = ::recv(pair[1], buffer, sizeof buffer, 0);
            if (got <= 0) return;
            write_all(pair[1], std::string_view(buffer, static_cast<std::size_t>(got)));
        }
    });
    const std::string request(400, 'r');
    char buffer[512];
    for (auto _ : state) {
        write_all(pair[0], request);
        for (std::size_t got = 0; got < request.size();) {
            const auto some = ::recv(pair[0], buffer, sizeof buffer, 0);
            if (some <= 0) std::abort();
            got += static_cast<std::size_t>(some);
        }
    }
    ::shutdown(pair[0], SHUT_RDWR);
    echo.join();
    ::close(pair[0]);
    ::close(pair[1]);
}
BENCHMARK(limit_loopback)->Name("limit/loopback");

}  // namespace
