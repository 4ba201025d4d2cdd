// Bytes in, bytes out over a real socket, ugly requests first.
#include "provisioning/http/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

namespace hatchery::http {
namespace {

using std::chrono::seconds;

/// A client that writes whatever it is told.
class Client {
  public:
    explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval limit{20, 0};  // a hung server fails the test instead of hanging it
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    Client& send(std::string_view bytes) {
        EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
        return *this;
    }
    Client& end() {
        ::shutdown(socket_, SHUT_WR);
        return *this;
    }
    /// Up to and with `mark`, or what came before the connection ended.
    std::string read_until(std::string_view mark) {
        std::string text;
        char byte = 0;
        while (!text.ends_with(mark) && ::recv(socket_, &byte, 1, 0) == 1)
            text += byte;
        return text;
    }
    std::string read_all() {
        std::string text;
        char buffer[4096];
        ssize_t count = 0;
        while ((count = ::recv(socket_, buffer, sizeof buffer, 0)) > 0) {
            text.append(buffer, static_cast<std::size_t>(count));
        }
        EXPECT_EQ(count, 0) << "the server did not close";
        return text;
    }

  private:
    int socket_;
};

Response echo(const Request& request) {
    Response response;
    response.content_type = "text/plain";
    std::string headers;
    for (const auto& header : request.headers)
        headers += header.name + "=" + header.value + ";";
    response.body =
        request.method + "|" + request.target + "|" + headers + "|" + request.body + "\n";
    return response;
}

Response refused(int status) {
    Response response;
    response.status = status;
    response.body = "refused " + std::to_string(status) + "\n";
    return response;
}

std::unique_ptr<Listener> serve(Options options = {}) {
    auto started = Listener::start(std::move(options), echo, refused);
    EXPECT_TRUE(started) << to_string(started.error());
    return std::move(*started);
}

TEST(Listener, GivesTheTargetAsReceivedAndTheBodyWhole) {
    const auto listener = serve();
    const std::string answer =
        Client(listener->port())
            .send(
                "POST /a%2Fb%0A/../c?x=%20y HTTP/1.1\r\nHost: h:1\r\nX-Amzn-Principal: p\r\n"
                "Content-Length: 5\r\nConnection: close\r\n\r\nhello")
            .read_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_TRUE(
        answer.ends_with("POST|/a%2Fb%0A/../c?x=%20y|connection=close;content-length=5;"
                         "host=h:1;x-amzn-principal=p;|hello\n"))
        << answer;
}

TEST(Listener, TakesNoBodyWithoutContentLength) {
    const auto listener = serve();
    for (const std::string method : {"PUT", "POST", "DELETE", "PATCH", "GET", "OPTIONS"}) {
        Client client(listener->port());
        client.send(method + " /t HTTP/1.1\r\nHost: h\r\n\r\n");
        const std::string answer = client.read_until(";|\n");
        EXPECT_NE(answer.find(method + "|/t|host=h;|\n"), std::string::npos) << answer;
    }
}

TEST(Listener, CarriesManyRequestsOnOneConnection) {
    const auto listener = serve();
    Client client(listener->port());
    for (int i = 0; i < 50; ++i) {
        const std::string number = std::to_string(i);
        client.send("PUT /" + number + " HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
        EXPECT_NE(client.read_until("|x\n").find("PUT|/" + number + "|"), std::string::npos);
    }
    // Two at once, the second in two pieces.
    client.send("GET /a HTTP/1.1\r\n\r\nGET /b HTT").send("P/1.1\r\nX: y\r\n\r\n");
    EXPECT_NE(client.read_until("|/a||\n").find("GET"), std::string::npos);
    EXPECT_NE(client.read_until("|/b|x=y;|\n").find("GET"), std::string::npos);
}

TEST(Listener, AsksAClientThatExpectsItToGoOn) {
    const auto listener = serve();
    Client client(listener->port());
    client.send("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ok");
    EXPECT_NE(client.read_until("|ok\n").find("POST|/p|"), std::string::npos);
}

struct Refused {
    std::string name, bytes;
    int status;
};
class ListenerRefusal : public testing::TestWithParam<Refused> {};

TEST_P(ListenerRefusal, AnswersAndCloses) {
    Options options;
    options.max_body_bytes = 100;
    const auto listener = serve(std::move(options));
    const std::string answer = Client(listener->port()).send(GetParam().bytes).end().read_all();
    const std::string status = std::to_string(GetParam().status);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + " ")) << answer.substr(0, 200);
    EXPECT_TRUE(answer.ends_with("refused " + status + "\n")) << answer.substr(0, 400);
}

INSTANTIATE_TEST_SUITE_P(
    Listener,
    ListenerRefusal,
    testing::Values(
        Refused{"no_request_line", "hello\r\n\r\n", 400},
        Refused{"unknown_method", "BREW / HTTP/1.1\r\n\r\n", 400},
        Refused{"body_cut_off", "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", 400},
        Refused{"length_is_no_number", "PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
        Refused{"length_is_negative", "PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        Refused{"two_lengths",
                "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                400},
        Refused{"body_too_large",
                "PUT / HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'a'),
                413},
        Refused{"body_far_too_large",
                "PUT / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nabc",
                413},
        Refused{"chunked",
                "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                411},
        Refused{"target_too_long", "GET /" + std::string(8192, 'a') + " HTTP/1.1\r\n\r\n", 414},
        Refused{"pri_with_a_body",
                "PRI / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                400}),
    [](const auto& one) { return one.param.name; });

TEST(Listener, BoundsTheHead) {
    const auto listener = serve();
    Client client(listener->port());
    std::string head = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 200; ++i)
        head += "X-" + std::to_string(i) + ": " + std::string(1000, 'a') + "\r\n";
    client.send(head).end();
    const std::string answer = client.read_all();
    EXPECT_EQ(answer.find("200 OK"), std::string::npos) << answer.substr(0, 200);
}

TEST(Listener, GivesUpOnARequestThatNeverEnds) {
    Options options;
    options.request_timeout = seconds(1);
    const auto listener = serve(std::move(options));
    Client silent(listener->port()), half(listener->port());
    half.send("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf");
    EXPECT_NE(half.read_all().find("refused 400"), std::string::npos);
    EXPECT_EQ(silent.end().read_all(), "");
}

TEST(Listener, GivesItsThreadsBackFromIdleConnections) {
    Options options;
    options.threads = 1;
    options.keep_alive_timeout = seconds(1);
    const auto listener = serve(std::move(options));
    const Client idle(listener->port());
    Client busy(listener->port());
    EXPECT_NE(busy.send("GET /b HTTP/1.1\r\n\r\n").read_until("|/b||\n").find("200 OK"),
              std::string::npos);
}

TEST(Listener, StopsWhileConnectionsAreIdle) {
    Options options;
    options.keep_alive_timeout = seconds(600);
    auto listener = serve(std::move(options));
    Client idle(listener->port());
    idle.send("GET /a HTTP/1.1\r\n\r\n").read_until("|/a||\n");
    listener.reset();
    EXPECT_EQ(idle.read_all(), "");
}

TEST(Listener, AnswersWhatIsInProgressBeforeItStops) {
    std::atomic<bool> has_begun = false, may_finish = false;
    auto started = Listener::start(
        {},
        [&](const Request& request) {
            has_begun = true;
            while (!may_finish)
                std::this_thread::yield();
            return echo(request);
        },
        refused);
    ASSERT_TRUE(started);
    Client client((*started)->port());
    client.send("GET /slow HTTP/1.1\r\n\r\n");
    while (!has_begun)
        std::this_thread::yield();
    may_finish = true;
    started->reset();
    EXPECT_NE(client.read_all().find("GET|/slow||"), std::string::npos);
}

/// Answers with `size` bytes that tell where they are; `failing_at`: they end there.
std::unique_ptr<Listener> serve_source(std::uint64_t size, std::uint64_t failing_at, int& bodies) {
    auto started = Listener::start(
        {},
        [size, failing_at, &bodies](const Request&) {
            ++bodies;
            const std::shared_ptr<int> held(&bodies, [](int* count) { --*count; });
            Response response;
            response.content_type = "application/octet-stream";
            response.source =
                BodySource{size, [failing_at, held](std::uint64_t offset, std::span<char> out) {
                               for (std::size_t i = 0; i < out.size(); ++i)
                                   out[i] = static_cast<char>('a' + (offset + i) % 23);
                               return offset + out.size() <= failing_at;
                           }};
            return response;
        },
        refused);
    EXPECT_TRUE(started) << to_string(started.error());
    return std::move(*started);
}

TEST(Listener, SendsABodyWhileItIsRead) {
    for (const std::uint64_t size : {1U, 65'536U, 5'000'001U}) {
        int bodies = 0;
        auto listener = serve_source(size, size, bodies);
        Client client(listener->port());
        client.send("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
        const std::string answer = client.read_all();
        const auto body = answer.find("\r\n\r\n") + 4;
        EXPECT_NE(answer.find("Content-Length: " + std::to_string(size)), std::string::npos);
        ASSERT_EQ(answer.size() - body, size);
        for (std::uint64_t at : {std::uint64_t{0}, size / 2, size - 1})
            EXPECT_EQ(answer[body + at], static_cast<char>('a' + at % 23)) << at;
        listener.reset();
        EXPECT_EQ(bodies, 0) << "what the body holds is given back";
    }
}

TEST(Listener, EndsTheConnectionWhenABodyCannotBeRead) {
    int bodies = 0;
    auto listener = serve_source(1'000'000, 200'000, bodies);
    Client client(listener->port());
    const std::string answer = client.send("GET /a HTTP/1.1\r\n\r\n").read_all();
    EXPECT_NE(answer.find("Content-Length: 1000000"), std::string::npos);
    EXPECT_LT(answer.size(), 300'000U);
    listener.reset();
    EXPECT_EQ(bodies, 0);
}

TEST(Listener, GivesABodyUpWhenItsReaderIsGone) {
    int bodies = 0;
    auto listener = serve_source(std::uint64_t{1} << 40, ~std::uint64_t{0}, bodies);
    {
        Client client(listener->port());
        client.send("GET /a HTTP/1.1\r\n\r\n").read_until("abc");
    }
    listener.reset();  // waits for its threads
    EXPECT_EQ(bodies, 0);
}

TEST(Listener, KnowsLoopbackAddresses) {
    for (const char* host : {"127.0.0.1", "127.1.2.3", "localhost", "::1"}) {
        EXPECT_TRUE(is_loopback(host)) << host;
    }
    for (const char* host :
         {"0.0.0.0", "::", "10.0.0.1", "127.evil.example", "", "localhost.example"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
    }
}

}  // namespace
}  // namespace hatchery::http
