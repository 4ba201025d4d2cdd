// A request to the jobs API, topic and payload from anybody: every outcome is an answer on accepted
// or rejected, JSON with a timestamp; the answers' own topics are no requests.
#include "provisioning/jobs/topics.h"
#include "provisioning/registry/schema.h"
#include "provisioning/registry/things.h"
#include "tests/provisioning/temp_directory.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>

namespace jobs = hatchery::jobs;
namespace registry = hatchery::registry;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

/// A store with the thing `t` that has the job `j1` to do.
struct World {
    World() : store(*registry::open(directory / "registry.db")), context{*store, {}, {}} {
        require(store
                    ->write([&](hatchery::store::Tx& tx) {
                        return registry::create_thing(tx, {}, {"t", {}, {}, {}}, now);
                    })
                    .has_value());
        jobs::NewJob job{"j1", "{}", "{}", {context.account.arn("thing", "t")}, false, false, {}};
        require(jobs::create_job(context, job, now).has_value());
    }
    hatchery::Time now{};
    hatchery::testing::TempDirectory directory;
    std::unique_ptr<hatchery::store::Store> store;
    jobs::Context context;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static World world;
    const hatchery::ByteView input(data, size);
    const std::string_view text = hatchery::text_of(input);
    const auto end = text.find('\n');
    const std::string topic(text.substr(0, end));
    if (!jobs::is_request(topic)) return 0;
    require(!jobs::is_request(topic + "/accepted"));
    require(!jobs::is_request(topic + "/rejected"));
    const auto payload =
        end == std::string_view::npos ? hatchery::ByteView() : input.subspan(end + 1);
    const auto reply = jobs::answer_request(world.context, topic, payload, world.now);
    const auto answer = nlohmann::json::parse(reply.payload, nullptr, false);
    require(answer.is_object() && answer.contains("timestamp"));
    const bool is_rejected = reply.topic == topic + "/rejected";
    require(is_rejected || reply.topic == topic + "/accepted");
    require(is_rejected == answer.contains("code"));
    return 0;
}
