// A whole session over any bytes from a device, cut into pieces of the first byte's size, with a
// broker that accepts and echoes: no crash, nothing sent after the end, nothing of the provisioning
// API upstream.
#include "provisioning/gateway/session.h"

#include <algorithm>
#include <cstdlib>

using hatchery::Bytes;
using hatchery::ByteView;
using hatchery::gateway::Actions;
using hatchery::gateway::Session;
namespace mqtt = hatchery::gateway::mqtt;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

class Peer {
  public:
    Session session{Session::Limits{.max_packet_bytes = 4096}, now()};

    static Session::Instant now() { return Session::Instant(std::chrono::hours(1)); }

    void follow(const Actions& actions) {
        require(!actions.close || session.is_closed());
        upstream(actions.to_upstream);
        if (actions.admit) {
            follow(session.admitted([](auto, std::string_view name) { return name != "denied"; }));
        }
        const std::uint8_t level = session.connect().level;
        if (actions.open_upstream) {
            follow(session.from_upstream(mqtt::encode_connack({}, level)));
        }
        for (const auto& request : actions.requests) {
            follow(session.answered({request.topic + "/accepted", "{}"}, request.correlation));
        }
    }

  private:
    /// Everything that reaches the broker is well-formed and none of the provisioning API's.
    void upstream(const Bytes& bytes) {
        mqtt::PacketReader reader(1 << 20);
        reader.append(bytes);
        for (;;) {
            const auto packet = reader.next();
            require(packet.has_value());
            if (!*packet) break;
            if ((*packet)->type != mqtt::PacketType::Publish) continue;
            const auto publish = mqtt::parse_publish(**packet, session.connect().level);
            require(publish && !publish->topic.empty() && !publish->topic.starts_with('$'));
            if (echoes_ > 64) continue;
            ++echoes_;
            follow(session.from_upstream((*packet)->bytes));
        }
    }

    int echoes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Peer peer;
    const std::size_t step = std::max<std::size_t>(1, data[0]);
    ByteView rest(data + 1, size - 1);
    while (!rest.empty() && !peer.session.is_closed()) {
        const ByteView piece = rest.first(std::min(step, rest.size()));
        rest = rest.subspan(piece.size());
        peer.follow(peer.session.from_device(piece, Peer::now()));
    }
    peer.follow(peer.session.tick(Peer::now() + std::chrono::seconds(1)));
    peer.follow(peer.session.device_closed());
    require(peer.session.is_closed());
    return 0;
}
