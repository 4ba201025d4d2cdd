// One class on purpose, and so over 500 lines: the coroutines below share one connection's state on
// one thread, and what each may change while another waits is seen only side by side.
#include "provisioning/gateway/connection.h"

#include "ca/base/clock.h"
#include "provisioning/gateway/connection_log.h"
#include "provisioning/gateway/io.h"
#include "provisioning/gateway/outbox.h"
#include "provisioning/gateway/work.h"
#include "provisioning/policy/needed.h"
#include "provisioning/rule_actions/engine.h"

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <list>

namespace hatchery::gateway {
namespace {

constexpr std::size_t kMaxQueuedRequests = 8;  // likewise
constexpr unsigned kReadsATurn = 16;           // then other connections have their turn
constexpr std::size_t kMostTraces = 16;        // of denied packets, a connection
constexpr std::chrono::seconds kUpstreamTimeout{10};
constexpr std::chrono::seconds kLinger{5};
constexpr std::array<std::string_view, 4> kRequestTopics{"$aws/certificates/create/json",
                                                         "$aws/certificates/create/cbor",
                                                         "$aws/certificates/create-from-csr/json",
                                                         "$aws/certificates/create-from-csr/cbor"};

Session::Limits limits_of(const Options& options) {
    Session::Limits limits;
    limits.max_packet_bytes = options.max_packet_bytes;
    limits.max_subscriptions = options.max_subscriptions;
    limits.max_filters_a_packet = options.max_filters_a_packet;
    limits.max_topic_bytes = options.max_topic_bytes;
    limits.max_topic_levels = options.max_topic_levels;
    limits.max_inflight = options.max_inflight;
    return limits;
}

/// The service's own messages, for rules such as the one that activates a certificate by hand.
std::vector<Published> as_published(const std::vector<flows::Event>& events) {
    std::vector<Published> all;
    for (const auto& event : events)
        all.push_back({event.topic, to_bytes(bytes_of(event.payload)), true});
    return all;
}

class DeviceConnection final : public Connection,
                               public std::enable_shared_from_this<DeviceConnection> {
  public:
    DeviceConnection(const Environment& environment,
                     Loop loop,
                     asio::ip::tcp::socket socket,
                     TlsConnection tls,
                     std::string source_ip,
                     std::function<void(Connection&)> ended)
        : environment_(environment),
          loop_(loop),
          id_(next_connection_id()),
          source_ip_(std::move(source_ip)),
          socket_(std::move(socket)),
          tls_(std::move(tls)),
          session_(limits_of(environment.options), now()),
          changed_(loop.io.get_executor()),
          ended_(std::move(ended)) {
        ++environment_.counters.unauthenticated;
    }
    ~DeviceConnection() override { authenticated(); }
    DeviceConnection(const DeviceConnection&) = delete;
    DeviceConnection& operator=(const DeviceConnection&) = delete;

    /// Not before the caller knows this connection, which may end at once.
    void start() {
        asio::post(loop_.io, [self = shared_from_this()] { self->spawn(&DeviceConnection::run); });
    }

    void tick(Session::Instant time, std::uint64_t generation) override {
        if (is_closing_) return;
        if (!session_.has_connect()) {
            if (waited_for_device(time) > environment_.options.connect_timeout) {
                count(&Counters::unauthenticated_timeouts);
                end(CloseCause::Timeout, "no CONNECT in time");
            }
            return;
        }
        if (!is_waiting_for_device_) session_.hold_keep_alive(time);
        apply(session_.tick(time));
        check_stalls(time);
        const bool is_stale = admission_ && admission_->generation < generation;
        if (is_stale && !is_refreshing_ && !is_closing_) spawn(&DeviceConnection::freshen);
    }

    void stop() override {
        is_stopping_ = true;
        if (!is_admitting_ && !is_answering_) end(CloseCause::Stopping, "");
    }

  private:
    using Task = asio::awaitable<void> (DeviceConnection::*)();

    static Session::Instant now() { return std::chrono::steady_clock::now(); }

    /// Runs `task` on the loop; it keeps this object alive.
    void spawn(Task task) {
        const auto self = shared_from_this();
        asio::co_spawn(
            loop_.io,
            [self, task] { return (self.get()->*task)(); },
            [self](const std::exception_ptr& failure) {
                if (failure) self->end(CloseCause::Internal, "exception in a connection's task");
            });
    }

    asio::awaitable<void> run() {
        const bool is_ready = co_await handshake();
        if (is_ready) co_await read_device();
        ended_(*this);
    }

    asio::awaitable<bool> handshake() {
        while (!is_closing_) {
            // One turn at a time for all handshakes of this loop: between two of them, whatever
            // connected devices have sent gets its own.
            co_await loop_.handshakes.wait();
            if (is_closing_) break;
            const TlsResult result = tls_.handshake();
            if (result.status == TlsStatus::Done) co_return take_peer();
            if (result.status == TlsStatus::Closed || result.status == TlsStatus::Failed) {
                end(CloseCause::Handshake, result.reason);
                break;
            }
            co_await wait_device(result.status);
        }
        co_return false;
    }

    bool take_peer() {
        auto peer = tls_.peer();
        if (!peer) {
            end(CloseCause::Handshake, to_string(peer.error()));
            return false;
        }
        request_.emplace(flows::ConnectRequest{std::move(peer->certificate),
                                               std::move(peer->chain),
                                               {},
                                               source_ip_,
                                               false,
                                               std::nullopt,
                                               false,
                                               tls_.server_name()});
        certificate_id_ = request_->certificate.id();
        certificate_ = certificate_id_.hex();
        if (loop_.needs_alpn && tls_.protocol() != kMqttProtocol) {
            end(CloseCause::Unsupported, "no ALPN x-amzn-mqtt-ca, which this port is for");
            return false;
        }
        return true;
    }

    asio::awaitable<void> wait_device(TlsStatus wanted) {
        asio::error_code ignored;  // the next call on the socket meets the same error
        const auto what = wanted == TlsStatus::WantRead ? asio::socket_base::wait_read
                                                        : asio::socket_base::wait_write;
        if (session_.has_connect()) {
            co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ignored));
            co_return;
        }
        waiting_since_ = now();
        co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ignored));
        waited_ += now() - *std::exchange(waiting_since_, std::nullopt);
    }

    /// Until its CONNECT; not the time that it waits for its turn among thousands of others.
    Session::Instant::duration waited_for_device(Session::Instant time) const {
        return waiting_since_ ? waited_ + (time - *waiting_since_) : waited_;
    }

    asio::awaitable<void> read_device() {
        for (unsigned reads = 1; !is_closing_; ++reads) {
            if (reads % kReadsATurn == 0) co_await asio::post(loop_.io, asio::use_awaitable);
            while (is_device_held_back())
                co_await changed_.wait();
            co_await freshen();
            if (is_closing_) break;
            const TlsResult result = tls_.read(loop_.scratch);
            if (result.status == TlsStatus::WantRead || result.status == TlsStatus::WantWrite) {
                reads = 0;
                is_waiting_for_device_ = true;
                co_await wait_device(result.status);
                is_waiting_for_device_ = false;
                continue;
            }
            Actions actions = device_was_read(result);
            if (!actions.published.empty()) co_await keep_for_rules(actions.published);
            apply(std::move(actions));
            if (is_admitting_) co_await admit();
        }
    }

    bool is_device_held_back() const {
        return !is_closing_ && (!session_.reads_device() || is_keeping_first_ ||
                                to_upstream_.size() > environment_.options.max_buffered_bytes ||
                                to_device_.size() > environment_.options.max_buffered_bytes ||
                                requests_.size() >= kMaxQueuedRequests);
    }

    Actions device_was_read(const TlsResult& result) {
        switch (result.status) {
            case TlsStatus::Done:
                session_.report_publishes(has_rules());
                return session_.from_device(loop_.scratch.first(result.count), now());
            case TlsStatus::Closed:
                return session_.device_closed();
            default:
                end(CloseCause::DeviceLost, result.reason);
                return {};
        }
    }

    bool has_rules() const {
        const auto* const rules = environment_.options.rules;
        return rules != nullptr && rules->has_rules();
    }

    /// What topic rules make of `published` is kept before the broker has it, and so before the
    /// device has its PUBACK.
    asio::awaitable<void> keep_for_rules(const std::vector<Published>& published) {
        rule_actions::Engine& rules = *environment_.options.rules;
        const auto time = clock_now_in_milliseconds();
        std::vector<registry::QueuedAction> made;
        bool is_awaited = false;
        for (const auto& one : published) {
            const topic_rules::Message message(
                one.topic, one.payload, session_.connect().client_id, certificate_, time);
            auto some = rules.match(message);
            is_awaited = is_awaited || (one.is_acknowledged && !some.empty());
            std::move(some.begin(), some.end(), std::back_inserter(made));
        }
        if (made.empty()) co_return;
        if (!is_awaited) {
            rules.keep_later(std::move(made));
            co_return;
        }
        Result<> kept = co_await run_on(environment_.flow_threads,
                                        [&] { return keep_actions(rules, std::move(made)); });
        if (kept) co_return;
        const std::string reason = "rules: " + to_string(kept.error());
        end(CloseCause::Internal, reason);
        // The session may have ended by itself, with messages that must not go to the broker now.
        finish({CloseCause::Internal, reason}, {});
    }

    asio::awaitable<flows::AdmitOutcome> decide() {
        using Next = flows::Admitting::Next;
        flows::AdmitOutcome remembered;
        remembered.admission =
            readmit_device(environment_.service, environment_.remembered, *request_);
        if (remembered.admission) co_return remembered;
        flows::Admitting device(environment_.service, *request_, clock_now());
        while (device.next() != Next::Done) {
            if (device.next() == Next::Step) {
                step(device);
            } else if (device.next() == Next::Wait) {
                co_await run_on(environment_.flow_threads, [&device] {
                    step(device);
                    return true;
                });
            } else {
                device.written(co_await write_to(
                    environment_.service.store,
                    [&device](store::Tx& tx) { return device.write(tx); },
                    flows::kWaitsForCompany));
            }
        }
        co_return device.outcome();
    }

    asio::awaitable<void> admit() {
        describe_connect();
        flows::AdmitOutcome outcome = co_await decide();
        is_admitting_ = false;
        authenticated();
        if (has_rules()) co_await keep_for_rules(as_published(outcome.events));
        environment_.events.publish_all(std::move(outcome.events));
        if (!outcome.admission) {
            const Error reason =
                outcome.refused.value_or(fail(Code::Internal, "refused without a reason"));
            if (outcome.is_known) environment_.lifecycle.refused(visitor());
            end(CloseCause::Refused, to_string(reason), to_string(reason.code));
            co_return;
        }
        if (outcome.identity) {
            environment_.remembered.remember(session_.connect().client_id,
                                             std::move(outcome.identity));
        }
        keep(std::move(*outcome.admission));
        forget_handshake();
        log_accepted(facts(), admission_->provisioned_now);
        if (admission_->provisioned_now && environment_.options.close_after_provisioning) {
            end(CloseCause::Provisioned, "the device comes back by itself");
        }
        if (is_stopping_) end(CloseCause::Stopping, "");
        if (!is_closing_) co_await open_upstream();
    }

    /// For hours, maybe: without what no packet needs. Of the device's certificate that is all but
    /// its bytes, which are read again when the identity is.
    void forget_handshake() {
        certificate_der_ = request_->certificate.der();
        request_.reset();
        tls_.forget_peer();
    }

    /// The request of the connection that is open, as far as it still matters.
    Result<flows::ConnectRequest> open_request() const {
        auto certificate = ca::Certificate::from_der(certificate_der_);
        if (!certificate) return std::move(certificate).error();
        return flows::ConnectRequest{.certificate = std::move(*certificate),
                                     .chain = {},
                                     .client_id = session_.connect().client_id,
                                     .source_ip = source_ip_,
                                     .will_topic = {}};
    }

    Result<flows::Admission> read_again() const {
        auto request = open_request();
        if (!request) return std::move(request).error();
        return refresh_device(environment_.service, *request, *admission_);
    }

    void keep(flows::Admission admission) {
        admission.context = policy::needed_of(admission.policies, admission.context);
        admission.certificate.der = {};
        admission_ = std::move(admission);
    }

    void describe_connect() {
        const mqtt::Connect& connect = session_.connect();
        request_->client_id = connect.client_id;
        request_->persistent = session_.is_persistent();
        if (connect.will) {
            request_->will_topic = connect.will->topic;
            request_->will_retained = connect.will->retain;
        }
    }

    asio::awaitable<void> open_upstream() {
        Result<UpstreamSocket> socket =
            co_await connect_upstream(environment_.upstream, kUpstreamTimeout);
        if (is_closing_) co_return;
        if (!socket) {
            apply(is_claim() ? session_.admitted_alone(authorizer())
                             : session_.upstream_closed(socket.error().message));
            co_return;
        }
        upstream_ = std::make_shared<UpstreamSocket>(std::move(*socket));
        upstream_since_ = now();
        visitor_ = visitor();
        environment_.lifecycle.opens(*visitor_, upstream_since_);
        Actions actions = session_.admitted(authorizer());
        spawn(&DeviceConnection::read_upstream);
        apply(std::move(actions));
    }

    Session::Authorizer authorizer() {
        return [this](policy::Action action, std::string_view name) {
            if (is_allowed(action, name)) return true;
            if (traces_left_ == 0) return false;
            --traces_left_;
            if (const auto request = open_request()) {
                trace_denied(environment_.service, *request, *admission_, action, name);
            }
            return false;
        };
    }

    bool is_allowed(policy::Action action, std::string_view name) const {
        const auto decision = flows::authorize(environment_.service, *admission_, action, name);
        return decision.effect == policy::Effect::Allowed;
    }

    /// No thing yet, and the right to ask for a certificate of its own: for that no broker is
    /// needed.
    bool is_claim() const {
        return admission_->thing.empty() && !session_.connect().will &&
               std::any_of(kRequestTopics.begin(), kRequestTopics.end(), [this](auto topic) {
                   return is_allowed(policy::Action::Publish, topic);
               });
    }

    asio::awaitable<void> read_upstream() {
        bool is_read_empty = true;  // nothing can be there yet, or the last read took all
        for (unsigned reads = 1; !is_closing_; ++reads) {
            if (reads % kReadsATurn == 0) co_await asio::post(loop_.io, asio::use_awaitable);
            while (!is_closing_ && to_device_.size() > environment_.options.max_buffered_bytes)
                co_await changed_.wait();
            co_await freshen();
            if (is_closing_) break;
            asio::error_code error;
            if (is_read_empty) {
                reads = 0;
                co_await upstream_->async_wait(asio::socket_base::wait_read,
                                               asio::redirect_error(asio::use_awaitable, error));
                is_read_empty = false;
                continue;
            }
            const std::size_t count = upstream_->read_some(
                asio::buffer(loop_.scratch.data(), loop_.scratch.size()), error);
            is_read_empty = count < loop_.scratch.size();
            if (error == asio::error::would_block) continue;
            if (error) {
                apply(session_.upstream_closed(error == asio::error::eof
                                                   ? "the broker closed the connection"
                                                   : error.message()));
                break;
            }
            session_.report_publishes(has_rules());
            Actions actions = session_.from_upstream(loop_.scratch.first(count));
            if (!actions.published.empty()) {  // what came before CONNACK: it goes first
                is_keeping_first_ = true;
                co_await keep_for_rules(actions.published);
                is_keeping_first_ = false;
            }
            apply(std::move(actions));
            changed_.notify();  // CONNACK lets the device be read again
        }
    }

    /// Reads the identity again if something that it depends on has changed.
    asio::awaitable<void> freshen() {
        while (is_refreshing_ && !is_closing_)
            co_await changed_.wait();
        if (is_closing_ || !admission_) co_return;
        if (admission_->generation == environment_.service.store.identity_generation()) co_return;
        is_refreshing_ = true;
        Result<flows::Admission> fresh =
            co_await run_on(environment_.flow_threads, [this] { return read_again(); });
        is_refreshing_ = false;
        if (fresh) {
            keep(std::move(*fresh));
        } else {
            const bool is_withdrawn = fresh.error().code == Code::Forbidden;
            end(is_withdrawn ? CloseCause::Denied : CloseCause::Refused,
                to_string(fresh.error()),
                to_string(fresh.error().code));
        }
        changed_.notify();
    }

    asio::awaitable<void> answer_requests() {
        while (!requests_.empty() && !is_closing_) {
            const ProvisioningRequest request = std::move(requests_.front());
            requests_.pop_front();
            changed_.notify();
            const flows::Claimant claimant{certificate_id_, session_.connect().client_id};
            Result<flows::TopicReply> reply =
                co_await run_on(environment_.flow_threads, [this, &claimant, &request] {
                    return answer_request(environment_.service, claimant, request);
                });
            if (!reply) {
                end(CloseCause::Internal, to_string(reply.error()));
                break;
            }
            log_answered(facts(), reply->topic);
            apply(session_.answered(*reply, request.correlation));
            const Secret wiped = Secret::take(reply->payload);  // it may hold a private key
        }
        is_answering_ = false;
        if (is_stopping_) end(CloseCause::Stopping, "");
    }

    void apply(Actions actions) {
        if (is_closing_) return;
        if (!actions.note.empty()) {
            log_note(facts(), actions.note);
        }
        is_admitting_ = is_admitting_ || actions.admit;
        announce(actions);
        count(actions.limits_met);
        send_upstream(actions.to_upstream);
        send_device(actions.to_device);
        if (actions.is_secret) const Secret wiped(std::move(actions.to_device));
        for (auto& request : actions.requests)
            requests_.push_back(std::move(request));
        if (actions.close) return finish(*actions.close, {});
        if (!requests_.empty() && !is_answering_) {
            is_answering_ = true;
            spawn(&DeviceConnection::answer_requests);
        }
    }

    /// Lifecycle events of what the session has just decided.
    void announce(const Actions& actions) {
        if (!visitor_) return;
        if (actions.is_open) {
            is_announced_ = true;
            environment_.lifecycle.connected(*visitor_);
            environment_.wills.opened(session_.connect());
        }
        environment_.lifecycle.subscribed(*visitor_, actions.subscribed);
        environment_.lifecycle.unsubscribed(*visitor_, actions.unsubscribed);
    }

    Visitor visitor() const {
        const bool is_exclusive = admission_ && admission_->is_exclusive;
        return {session_.connect().client_id,
                certificate_id_,
                is_exclusive ? admission_->thing : std::string(),
                source_ip_};
    }

    void end(CloseCause cause, std::string detail, std::string_view code = {}) {
        if (is_closing_) return;
        const Actions actions = session_.end(cause, std::move(detail));
        if (cause != CloseCause::DeviceLost) send_device(actions.to_device);  // MQTT 5: why
        if (actions.close) finish(*actions.close, code);
    }

    void send_device(ByteView bytes) {
        if (bytes.empty() || is_closing_) return;
        if (to_device_.empty()) {  // nothing waits: mostly the socket takes it at once
            const TlsResult result = write_device(bytes);
            if (result.status == TlsStatus::Failed || result.status == TlsStatus::Closed) {
                return end(CloseCause::DeviceLost, result.reason);
            }
            bytes = bytes.subspan(result.count);
        }
        to_device_.append(bytes);
        if (to_device_.empty() || is_draining_device_) return;
        is_draining_device_ = true;
        device_progress_ = now();
        spawn(&DeviceConnection::drain_device);
    }

    /// Writes what the socket takes; `count` says how much, whatever the status.
    TlsResult write_device(ByteView bytes) {
        TlsResult result;
        std::size_t written = 0;
        while (written < bytes.size() && result.status == TlsStatus::Done) {
            result = tls_.write(bytes.subspan(written));
            written += result.count;
        }
        result.count = written;
        return result;
    }

    asio::awaitable<void> drain_device() {
        TlsStatus wanted = TlsStatus::WantWrite;
        while (!to_device_.empty() && !is_closing_) {
            co_await wait_device(wanted);
            if (is_closing_) break;
            const TlsResult result = write_device(to_device_.view());
            to_device_.consume(result.count);
            if (result.count > 0) device_progress_ = now();
            changed_.notify();
            if (result.status == TlsStatus::Failed || result.status == TlsStatus::Closed) {
                end(CloseCause::DeviceLost, result.reason);
            }
            wanted = result.status;
        }
        is_draining_device_ = false;
    }

    void send_upstream(ByteView bytes) {
        if (bytes.empty() || is_closing_ || !upstream_) return;
        if (to_upstream_.empty()) {
            asio::error_code error;
            const std::size_t count = write_upstream(bytes, error);
            if (error) return end(CloseCause::UpstreamLost, error.message());
            bytes = bytes.subspan(count);
        }
        to_upstream_.append(bytes);
        if (to_upstream_.empty() || is_draining_upstream_) return;
        is_draining_upstream_ = true;
        upstream_progress_ = now();
        spawn(&DeviceConnection::drain_upstream);
    }

    std::size_t write_upstream(ByteView bytes, asio::error_code& error) {
        const std::size_t count =
            upstream_->write_some(asio::buffer(bytes.data(), bytes.size()), error);
        if (error == asio::error::would_block) error.clear();
        return count;
    }

    /// Goes on after the device has gone: what it sent before is the broker's.
    asio::awaitable<void> drain_upstream() {
        asio::error_code error;
        while (!to_upstream_.empty() && !error) {
            co_await upstream_->async_wait(asio::socket_base::wait_write,
                                           asio::redirect_error(asio::use_awaitable, error));
            if (error) break;
            const std::size_t count = write_upstream(to_upstream_.view(), error);
            to_upstream_.consume(count);
            if (count > 0) upstream_progress_ = now();
            changed_.notify();
        }
        is_draining_upstream_ = false;
        if (is_closing_) {
            close_upstream();
        } else if (error) {
            end(CloseCause::UpstreamLost, error.message());
        }
    }

    void check_stalls(Session::Instant time) {
        if (!to_device_.empty() && time - device_progress_ > environment_.options.stall_timeout) {
            count(&Counters::slow_readers);
            end(CloseCause::Timeout, "the device does not read");
        } else if (!to_upstream_.empty() &&
                   time - upstream_progress_ > environment_.options.stall_timeout) {
            end(CloseCause::UpstreamLost, "the broker does not read");
        } else if (upstream_ && session_.awaits_upstream() &&
                   time - upstream_since_ > kUpstreamTimeout) {
            end(CloseCause::UpstreamLost, "no CONNACK from the broker in time");
        }
    }

    /// The one way out: logs why, closes the device's side now and the broker's once it has what is
    /// its own.
    void finish(Close close, std::string_view code) {
        if (is_closing_) return;
        is_closing_ = true;
        if (visitor_) say_goodbye(close);
        if (is_announced_) {
            environment_.wills.ended(session_.connect(), certificate_, close.cause, now());
        }
        log_closed(facts(), close, code);
        if (close.cause == CloseCause::TooLarge) count(&Counters::packets_too_large);
        asio::error_code ignored;
        tls_.shutdown();
        socket_.close(ignored);
        if (upstream_ && is_draining_upstream_) {
            linger_.emplace(loop_.io.get_executor(), kLinger, upstream_);
        } else {
            close_upstream();
        }
        changed_.notify();
        authenticated();
    }

    void say_goodbye(Close& close) {
        // A broker of 3.1.1 takes a session over without a word.
        const bool is_lost = close.cause == CloseCause::UpstreamLost;
        if (is_lost && !environment_.lifecycle.is_latest(*visitor_)) {
            close.cause = CloseCause::TakenOver;
        }
        if (is_announced_) environment_.lifecycle.disconnected(*visitor_, close.cause);
        environment_.lifecycle.left(*visitor_, now());
    }

    void close_upstream() {
        asio::error_code ignored;
        if (upstream_) upstream_->close(ignored);
    }

    /// Or over: it does not count among the others any more.
    void authenticated() {
        if (std::exchange(is_counted_, false)) --environment_.counters.unauthenticated;
    }

    void count(const LimitsMet& met) {
        if (met.topics > 0) environment_.counters.topics_over_limits += met.topics;
        if (met.subscriptions > 0) {
            environment_.counters.subscriptions_over_limits += met.subscriptions;
        }
        if (met.inflight > 0) environment_.counters.inflight_pauses += met.inflight;
    }

    void count(std::atomic<std::uint64_t> Counters::*which) { ++(environment_.counters.*which); }

    ConnectionFacts facts() const {
        return {id_,
                certificate_,
                session_.connect().client_id,  // empty before CONNECT
                admission_ ? std::string_view(admission_->thing) : std::string_view(),
                source_ip_};
    }

    const Environment& environment_;
    Loop loop_;
    std::string id_;
    std::string source_ip_;
    CertificateId certificate_id_;          // once the handshake is complete
    std::string certificate_;               // likewise, in hexadecimal
    Session::Instant::duration waited_{0};  // for the device, until its CONNECT
    std::optional<Session::Instant> waiting_since_;
    asio::ip::tcp::socket socket_;
    TlsConnection tls_;  // uses socket_'s descriptor
    Session session_;
    Signal changed_;  // of whatever a coroutine of this connection may wait for
    std::function<void(Connection&)> ended_;
    std::optional<flows::ConnectRequest> request_;  // from the handshake until it is admitted
    Bytes certificate_der_;                         // after that
    std::optional<flows::Admission> admission_;     // once admitted
    std::optional<Visitor> visitor_;                // once the broker is asked
    bool is_announced_ = false;                     // as connected
    std::shared_ptr<UpstreamSocket> upstream_;
    std::optional<Deadline> linger_;
    Session::Instant upstream_since_;
    Outbox to_device_;
    Outbox to_upstream_;
    Session::Instant device_progress_;
    Session::Instant upstream_progress_;
    std::list<ProvisioningRequest> requests_;  // an empty deque would hold half a kilobyte
    std::size_t traces_left_ = kMostTraces;
    bool is_counted_ = true;  // among the unauthenticated
    bool is_admitting_ = false;
    bool is_answering_ = false;
    bool is_keeping_first_ = false;
    bool is_refreshing_ = false;
    bool is_draining_device_ = false;
    bool is_draining_upstream_ = false;
    bool is_waiting_for_device_ = false;
    bool is_stopping_ = false;
    bool is_closing_ = false;
};

}  // namespace

Result<std::shared_ptr<Connection>> Connection::start(const Environment& environment,
                                                      Loop loop,
                                                      int socket,
                                                      std::string source_ip,
                                                      std::function<void(Connection&)> ended) {
    asio::error_code error;
    asio::ip::tcp::socket device(loop.io);
    // only the family of wait and close calls is used, which IPv4 and IPv6 share
    device.assign(asio::ip::tcp::v4(), socket, error);
    if (!error) device.native_non_blocking(true, error);
    if (!error) device.set_option(asio::ip::tcp::no_delay(true), error);
    if (error) {
        if (!device.is_open()) ::close(socket);
        return fail(Code::Internal, "socket: " + error.message());
    }
    auto tls = TlsConnection::accept(environment.tls, device.native_handle());
    if (!tls) return std::move(tls).error();
    auto connection = std::make_shared<DeviceConnection>(environment,
                                                         loop,
                                                         std::move(device),
                                                         std::move(*tls),
                                                         std::move(source_ip),
                                                         std::move(ended));
    connection->start();
    return std::shared_ptr<Connection>(std::move(connection));
}

}  // namespace hatchery::gateway
