// What a job's rates and thresholds go by, a count of its executions by status, against the
// executions themselves: after operations in any order, and after a process that died among them.
#include "tests/provisioning/jobs/jobs_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

namespace hatchery::jobs {
namespace {

using S = ExecutionStatus;

/// Whoever uses jobs, in no order. What is refused is refused.
class AnyOrder {
  public:
    AnyOrder(store::Store& store, unsigned seed) : store_(store), random_(seed) {}

    void prepare() {
        done(store_.write([&](store::Tx& tx) -> Result<> {
            for (const char* name : {"g0", "g1"}) {
                registry::ThingGroup group;
                group.name = name;
                auto made = registry::create_thing_group(tx, account_, group, kNow);
                if (!made) return std::move(made).error();
            }
            return {};
        }));
        for (int i = 0; i < kThings; ++i)
            make_thing("t" + std::to_string(i));
    }

    void act() {
        now_ += std::chrono::seconds(20);
        switch (below(14)) {
            case 0:
                return make_job();
            case 1:
                return done(cancel_job(context_, job(), {{}, {}, below(2) == 0}, now_));
            case 2:
                return done(delete_job(context_, job(), below(2) == 0, now_));
            case 3:
                return done(cancel_execution(context_, thing(), job(), {true, {}, {}}, now_));
            case 4:
                return done(delete_execution(context_, thing(), job(), 1, true, now_));
            case 5:
                done(store_.write([name = thing()](store::Tx& tx) {
                    return registry::delete_thing(tx, name, {});
                }));
                return make_thing(thing());
            case 6:
                return done(store_.write([this, name = thing()](store::Tx& tx) {
                    return registry::remove_thing_from_group(tx, name, group());
                }));
            case 7:
                return done(store_.write([this, name = thing()](store::Tx& tx) {
                    return registry::add_thing_to_group(tx, name, group());
                }));
            case 8:
            case 9:
                return done(jobs::advance(context_, now_));
            case 10:
                return done(start_next(context_, thing(), {}, now_));
            default:
                return report();
        }
    }

  private:
    static constexpr int kThings = 12;

    void make_job() {
        static const std::array<std::string, 4> settings{
            "{}",
            R"({"jobExecutionsRetryConfig":{"criteriaList":
                [{"failureType":"ALL","numberOfRetries":2}]},
                "timeoutConfig":{"inProgressTimeoutInMinutes":1}})",
            R"({"jobExecutionsRolloutConfig":{"maximumPerMinute":2}})",
            R"({"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL",
                "thresholdPercentage":50,"minNumberOfExecutedThings":3}]}})"};
        NewJob wanted;
        wanted.id = job();
        wanted.document = "{}";
        wanted.settings = settings.at(below(settings.size()));
        wanted.targets = {account_.arn("thing", thing()), account_.arn("thinggroup", group())};
        wanted.is_continuous = below(2) == 0;
        done(create_job(context_, wanted, now_));
    }
    void make_thing(const std::string& name) {
        done(store_.write([&](store::Tx& tx) -> Result<> {
            auto made = registry::create_thing(tx, account_, {name, {}, {}, {}}, kNow);
            if (!made) return std::move(made).error();
            return registry::add_thing_to_group(tx, name, group());
        }));
    }
    void report() {
        Update wanted;
        wanted.job_id = job();
        constexpr std::array<S, 4> ends{S::InProgress, S::Succeeded, S::Failed, S::Rejected};
        wanted.status = ends.at(below(ends.size()));
        update(context_, thing(), wanted, now_);
    }

    std::size_t below(std::size_t end) { return random_() % end; }
    std::string thing() { return "t" + std::to_string(below(kThings)); }
    std::string group() { return "g" + std::to_string(below(2)); }
    std::string job() { return "j" + std::to_string(below(5)); }
    template <class T>
    static void done(const Result<T>&) {}

    store::Store& store_;
    registry::Account account_;
    Context context_{store_, account_, {}};
    std::mt19937 random_;
    Time now_ = kNow;
};

TEST_F(JobsTest, CountsAreThoseOfTheExecutionsWhateverHappens) {
    AnyOrder order(*store_, 20'261'126);
    order.prepare();
    for (int i = 0; i < 1'000; ++i) {
        order.act();
        ASSERT_TRUE(is_counted()) << "after operation " << i;
    }
}

TEST_F(JobsTest, CountsAreThoseOfTheExecutionsAfterAKill) {
    AnyOrder(*store_, 1).prepare();
    for (unsigned round = 0; round < 5; ++round) {
        store_.reset();  // a child must not inherit its thread's locks
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            const auto own = registry::open(directory_ / "registry.db").value();
            AnyOrder order(*own, round);
            for (;;) {
                order.act();
                if (::write(ends[1], "x", 1) != 1) ::_exit(1);
            }
        }
        ::close(ends[1]);
        char sign = 0;
        for (unsigned i = 0; i < 40 + 7 * round; ++i)
            EXPECT_EQ(::read(ends[0], &sign, 1), 1);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::close(ends[0]);
        store_ = registry::open(directory_ / "registry.db").value();
        EXPECT_TRUE(is_counted()) << "after kill " << round;
    }
}

}  // namespace
}  // namespace hatchery::jobs
