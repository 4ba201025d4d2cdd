#include "provisioning/gateway/upstream.h"

#include "provisioning/gateway/io.h"

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

#include <algorithm>
#include <memory>

namespace hatchery::gateway {
namespace {

constexpr std::chrono::milliseconds kFullQueuePause{10};
constexpr std::size_t kMaxUnixPath = 107;  // sizeof sockaddr_un::sun_path less the final zero

Error unreachable(std::string_view why) {
    return fail(Code::Unavailable, "upstream broker: " + std::string(why));
}

asio::awaitable<asio::error_code> connect_unix(UpstreamSocket& socket, std::string path) {
    const asio::local::stream_protocol::endpoint endpoint(path);
    for (;;) {
        asio::error_code error;
        co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
        // Linux: EAGAIN from connect(2) on a unix socket means that the accept queue is full.
        if (error != asio::error::no_buffer_space && error != asio::error::try_again) {
            co_return error;
        }
        asio::steady_timer pause(socket.get_executor(), kFullQueuePause);
        co_await pause.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<asio::error_code> connect_tcp(UpstreamSocket& socket,
                                              std::string host,
                                              std::string port) {
    asio::error_code error;
    asio::ip::tcp::resolver resolver(socket.get_executor());
    const auto found = co_await resolver.async_resolve(
        host, port, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
    for (const auto& entry : found) {
        asio::error_code ignored;
        if (socket.is_open()) socket.close(ignored);
        const asio::generic::stream_protocol::endpoint endpoint(entry.endpoint());
        co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted) break;  // the deadline
        if (error) continue;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        break;
    }
    co_return error;
}

}  // namespace

Result<UpstreamAddress> parse_upstream(std::string_view text) {
    constexpr std::string_view kUnix = "unix:";
    UpstreamAddress address;
    if (text.starts_with(kUnix)) {
        address.unix_path = text.substr(kUnix.size());
        if (address.unix_path.empty() || address.unix_path.size() > kMaxUnixPath) {
            return fail(Code::InvalidRequest,
                        "expected a socket path of 1 to 107 bytes, found " +
                            std::to_string(address.unix_path.size()),
                        "upstream");
        }
        return address;
    }
    const auto colon = text.rfind(':');
    if (colon != std::string_view::npos) {
        address.host = text.substr(0, colon);
        address.port = text.substr(colon + 1);
    }
    if (address.host.starts_with('[') && address.host.ends_with(']')) {
        address.host = address.host.substr(1, address.host.size() - 2);
    }
    const bool is_number = std::all_of(
        address.port.begin(), address.port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (address.host.empty() || address.port.empty() || address.port.size() > 5 || !is_number) {
        return fail(Code::InvalidRequest,
                    "expected unix:PATH or HOST:PORT, found '" + std::string(text) + "'",
                    "upstream");
    }
    return address;
}

asio::awaitable<Result<UpstreamSocket>> connect_upstream(UpstreamAddress address,
                                                         std::chrono::milliseconds timeout) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto socket = std::make_shared<UpstreamSocket>(executor);
    const Deadline deadline(executor, timeout, socket);
    asio::error_code error;
    if (address.unix_path.empty()) {
        error = co_await connect_tcp(*socket, address.host, address.port);
    } else {
        error = co_await connect_unix(*socket, address.unix_path);
    }
    if (!error) socket->non_blocking(true, error);
    if (error) co_return unreachable(error.message());
    co_return std::move(*socket);
}

}  // namespace hatchery::gateway
