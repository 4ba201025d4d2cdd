// Real worker processes: the scripts in tests/data/hooks.
#include "hooks/command.h"

#include "tests/hooks/scratch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace hatchery::hooks {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Long enough that only a worker that never answers reaches it, even on a busy machine.
constexpr std::chrono::milliseconds kPatient{60'000};
/// For workers that never answer: the test waits for all of it.
constexpr std::chrono::milliseconds kBrief{300};

std::unique_ptr<Hook> command(const std::string& script,
                              std::vector<std::string> arguments = {},
                              int workers = 1) {
    HookConfig config;
    config.name = "h";
    config.kind = "command";
    config.command = {std::string(HATCHERY_TEST_DATA) + "/hooks/" + script};
    config.command.insert(config.command.end(), arguments.begin(), arguments.end());
    config.workers = workers;
    auto hook = make_command(config);
    if (!hook) ADD_FAILURE() << to_string(hook.error());
    return hook ? *std::move(hook) : nullptr;
}

Error error_of(Result<HookDecision> decision) {
    if (decision) {
        ADD_FAILURE() << "expected an error, found a decision";
        return {};
    }
    return std::move(decision).error();
}

/// The process that answered; empty if none did.
std::string worker_of(const Result<HookDecision>& decision) {
    if (!decision) {
        ADD_FAILURE() << to_string(decision.error());
        return "";
    }
    return decision->parameter_overrides.at("Worker");
}

std::string read_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

TEST(Command, AppliesTheTutorialsRule) {
    const auto hook = command("serial.sh");
    const auto good = hook->decide(event_of("1234567"), kPatient);
    ASSERT_TRUE(good) << to_string(good.error());
    EXPECT_TRUE(good->allow);
    EXPECT_EQ(good->parameter_overrides,
              (std::map<std::string, std::string>{{"DeviceLocation", "Seattle"}}));
    const auto bad = hook->decide(event_of("7654321"), kPatient);
    ASSERT_TRUE(bad) << to_string(bad.error());
    EXPECT_FALSE(bad->allow);
    EXPECT_EQ(bad->reason, "unknown serial number");
}

TEST(Command, KeepsItsWorker) {
    const auto hook = command("allow.sh", {}, 2);
    const auto first = worker_of(hook->decide(event_of("1"), kPatient));
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(worker_of(hook->decide(event_of("2"), kPatient)), first);
}

TEST(Command, FindsItsProgramOnThePathAndRunsNoShell) {
    const Scratch scratch;
    HookConfig config;
    config.name = "h";
    config.command = {
        "sh",
        "-c",
        "read -r line; id=${line#*:\\\"}; "
        "printf '{\"requestId\":\"%s\",\"allowProvisioning\":false,\"reason\":\"%s\"}\\n' "
        "\"${id%%\\\"*}\" \"$0\"",
        "$(touch " + scratch.path("ran") + ")"};
    const auto hook = make_command(config);
    ASSERT_TRUE(hook);
    const auto decision = (*hook)->decide(event_of("1"), kPatient);
    ASSERT_TRUE(decision) << to_string(decision.error());
    EXPECT_EQ(decision->reason, "$(touch " + scratch.path("ran") + ")");
    EXPECT_FALSE(std::filesystem::exists(scratch.path("ran")));
}

TEST(Command, RefusesWhereTheProgramIsMissing) {
    HookConfig config;
    config.name = "h";
    config.command = {"no-such-program-of-hatchery"};
    const auto hook = make_command(config);
    ASSERT_TRUE(hook);
    const auto error = error_of((*hook)->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "can't start no-such-program-of-hatchery: No such file or directory");
}

/// Gone, or dead and waiting for its parent to collect it.
bool is_dead(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text;
    if (!std::getline(file, text)) return true;
    return text.at(text.rfind(')') + 2) == 'Z';
}

/// Is it dead at last? The kernel may still be at it when a kill has returned.
bool dies(const std::string& pid) {
    const auto deadline = std::chrono::steady_clock::now() + kPatient;
    while (!is_dead(pid) && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    return is_dead(pid);
}

TEST(Command, KillsAWorkerThatHangsWithItsWholeGroup) {
    const Scratch scratch;
    const auto hook = command("hang.sh", {scratch.path("child")});
    const auto error = error_of(hook->decide(event_of("1"), kBrief));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the worker did not answer in time");
    const auto child = read_line(scratch.path("child"));
    ASSERT_FALSE(child.empty());
    EXPECT_TRUE(dies(child));
}

// `hatchery serve` blocks SIGTERM and others in every thread, to wait for them.
TEST(Command, StartsWorkersThatASignalEndsWhateverItsCallerBlocks) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &all, &before), 0);
    const auto hook = command("allow.sh");
    const auto worker = worker_of(hook->decide(event_of("1"), kPatient));
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
    ASSERT_FALSE(worker.empty());
    ASSERT_EQ(kill(std::stoi(worker), SIGTERM), 0);
    EXPECT_TRUE(dies(worker));
}

TEST(Command, ReplacesAWorkerThatCrashed) {
    const Scratch scratch;
    const auto hook = command("crash_once.sh", {scratch.path("crashed")});
    const auto error = error_of(hook->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the worker did not answer: it exited with status 3");
    const auto decision = hook->decide(event_of("1"), kPatient);
    ASSERT_TRUE(decision) << to_string(decision.error());
    EXPECT_TRUE(decision->allow);
}

TEST(Command, BacksOffFromAWorkerThatKeepsCrashing) {
    const CapturedLog log;
    const auto hook = command("crash.sh");
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(error_of(hook->decide(event_of("1"), kPatient)).message,
                  "the worker did not answer: it exited with status 3");
    }
    // By now the next start is 800 ms away and has to wait longer than this request can.
    const auto error = error_of(hook->decide(event_of("1"), std::chrono::milliseconds(1)));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the workers keep failing, waiting to start another");
    EXPECT_THAT(log.text(), HasSubstr("worker_stderr hook=h"));
    EXPECT_THAT(log.text(), HasSubstr("line=\"about to fail\""));
    EXPECT_THAT(log.text(), HasSubstr("how=\"it exited with status 3\""));
}

TEST(Command, ReplacesAWorkerThatAnswersNoJson) {
    const CapturedLog log;
    const auto hook = command("no_json.sh");
    const auto error = error_of(hook->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::InvalidRequest);
    EXPECT_EQ(error.message, "expected the answer to be a JSON object");
    EXPECT_THAT(log.text(), HasSubstr("worker_ended"));
}

TEST(Command, KeepsAWorkerThatRaised) {
    const CapturedLog log;
    const auto hook = command("raises.sh");
    for (int i = 0; i < 5; ++i) {
        const auto error = error_of(hook->decide(event_of("1"), kPatient));
        EXPECT_EQ(error.code, Code::Unavailable);
        EXPECT_EQ(to_string(error), "/errorMessage: the function raised KeyError: boom");
    }
    EXPECT_THAT(log.text(), Not(HasSubstr("worker_ended")));
}

TEST(Command, WantsToKnowWhichRequestIsAnswered) {
    const auto error = error_of(command("no_id.sh")->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::InvalidRequest);
    EXPECT_EQ(to_string(error),
              "/requestId: expected the answer to repeat the request's requestId");
}

TEST(Command, RefusesAtOnceWhenItsQueueIsFull) {
    const Scratch scratch;
    const auto got = scratch.fifo("got");
    const auto go = scratch.fifo("go");
    HookConfig config;
    config.name = "h";
    config.command = {std::string(HATCHERY_TEST_DATA) + "/hooks/waits.sh", got, go};
    config.workers = 1;
    config.queue = 0;
    const auto hook = make_command(config);
    ASSERT_TRUE(hook);
    auto first =
        std::async(std::launch::async, [&] { return (*hook)->decide(event_of("1"), kPatient); });
    EXPECT_EQ(read_line(got), "got");
    const auto error = error_of((*hook)->decide(event_of("2"), kPatient));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the hook is busy: 0 requests wait");
    std::ofstream(go) << "go\n";
    EXPECT_TRUE(first.get());
}

TEST(Command, ReplacesAWorkerThatDiedWhileItHadNothingToDo) {
    const auto hook = command("allow.sh");
    const auto first = worker_of(hook->decide(event_of("1"), kPatient));
    ASSERT_EQ(kill(std::stoi(first), SIGKILL), 0);
    ASSERT_TRUE(dies(first));
    const auto second = worker_of(hook->decide(event_of("1"), kPatient));
    EXPECT_NE(second, first);
}

TEST(Command, GivesItsWorkerTheEnvironmentOfTheConfiguration) {
    HookConfig config;
    config.name = "h";
    config.command = {std::string(HATCHERY_TEST_DATA) + "/hooks/environment.sh"};
    config.environment = {{"HATCHERY_TEST_PLAIN", "from the configuration"}};
    const auto hook = make_command(config);
    ASSERT_TRUE(hook);
    const auto decision = (*hook)->decide(event_of("1"), kPatient);
    ASSERT_TRUE(decision) << to_string(decision.error());
    EXPECT_EQ(decision->parameter_overrides.at("Plain"), "from the configuration");
}

Result<std::unique_ptr<Hook>> make_faulty(int workers) {
    HookConfig config;
    config.name = "h";
    config.command = {"/usr/bin/python3", std::string(HATCHERY_TEST_DATA) + "/hooks/faults.py"};
    config.workers = workers;
    return make_command(config);
}

/// What 200 devices that ask at once are told; `change` makes some of them faulty.
template <class Change>
std::vector<Result<HookDecision>> ask_two_hundred(Hook& hook, Change change) {
    std::vector<std::future<Result<HookDecision>>> asked;
    for (int i = 0; i < 200; ++i) {
        asked.push_back(std::async(std::launch::async, [&, i] {
            auto event = event_of(std::to_string(i));
            const std::chrono::milliseconds patience = change(i, event);
            return hook.decide(event, patience);
        }));
    }
    std::vector<Result<HookDecision>> decisions;
    for (auto& one : asked)
        decisions.push_back(one.get());
    return decisions;
}

/// What a request whose worker does this to it is told; "" = it is allowed, with its own echo;
/// "any": its worker may contradict itself.
struct Fault {
    const char* name;
    const char* told;
};

class CommandFault : public testing::TestWithParam<Fault> {};

// 200 devices at once; every twenty-fifth meets the fault. The others must not notice.
TEST_P(CommandFault, HarmsNobodyElseAmongTwoHundred) {
    const CapturedLog log;
    const auto hook = make_faulty(8);
    ASSERT_TRUE(hook);
    const auto decisions = ask_two_hundred(**hook, [](int i, HookEvent& event) {
        if (i % 25 == 3) event.parameters["Fault"] = GetParam().name;
        return kPatient;
    });
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const auto& decision = decisions[i];
        const bool is_faulty = i % 25 == 3;
        if (is_faulty && std::string_view(GetParam().told) == "any") continue;
        if (is_faulty && *GetParam().told != '\0') {
            EXPECT_THAT(error_of(decision).message, HasSubstr(GetParam().told)) << i;
            continue;
        }
        ASSERT_TRUE(decision) << i << ": " << to_string(decision.error());
        EXPECT_EQ(decision->parameter_overrides.at("Echo"), std::to_string(i));
    }
}

INSTANTIATE_TEST_SUITE_P(
    All,
    CommandFault,
    testing::Values(Fault{"crash", "it exited with status 3"},
                    Fault{"garbage", "expected the answer to be a JSON object"},
                    Fault{"oversized", "expected an answer of at most 65536 bytes"},
                    Fault{"closed", "it closed its input or output"},
                    Fault{"flood", ""},
                    Fault{"fork", "any"},
                    Fault{"late", ""},
                    Fault{"wrong", ""}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Command, EndsWorkersThatHangAndServesTheOthersOfTwoHundred) {
    const CapturedLog log;
    const auto hook = make_faulty(8);
    ASSERT_TRUE(hook);
    const auto decisions =
        ask_two_hundred(**hook, [](int i, HookEvent& event) -> std::chrono::milliseconds {
            if (i % 40 != 3) return kPatient;
            event.parameters["Fault"] = "hang";
            return std::chrono::milliseconds(2000);
        });
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const auto& decision = decisions[i];
        if (i % 40 == 3) {
            EXPECT_EQ(error_of(decision).code, Code::Unavailable);
            continue;
        }
        ASSERT_TRUE(decision) << i << ": " << to_string(decision.error());
        EXPECT_EQ(decision->parameter_overrides.at("Echo"), std::to_string(i));
    }
}

TEST(Command, EndsAWorkerThatAnswersNobody) {
    const CapturedLog log;
    HookConfig config;
    config.name = "h";
    config.command = {"/usr/bin/python3", std::string(HATCHERY_TEST_DATA) + "/hooks/faults.py"};
    const auto hook = make_command(config);
    ASSERT_TRUE(hook);
    auto event = event_of("1");
    event.parameters["Fault"] = "foreign";
    const auto error = error_of((*hook)->decide(event, std::chrono::seconds(2)));
    EXPECT_EQ(error.message, "the worker did not answer in time");
    EXPECT_THAT(log.text(), HasSubstr("worker_answered_another_request hook=h"));
    EXPECT_THAT(log.text(), HasSubstr("how=\"it was ended by signal 9\""));
}

TEST(Command, RefusesAnEndlessAnswer) {
    const auto error = error_of(command("oversized.sh")->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::InvalidRequest);
    EXPECT_EQ(error.message, "expected an answer of at most 65536 bytes");
}

TEST(Command, IsNotStoppedByAFloodOfStderr) {
    const CapturedLog log;
    {
        const auto hook = command("floods_stderr.sh");
        for (int i = 0; i < 2; ++i) {
            const auto decision = hook->decide(event_of("1"), kPatient);
            ASSERT_TRUE(decision) << to_string(decision.error());
            EXPECT_TRUE(decision->allow);
        }
    }
    const auto text = log.text();
    EXPECT_THAT(text, HasSubstr("line=\"line 0 of much noise"));
    EXPECT_THAT(text, HasSubstr("worker_stderr_dropped hook=h"));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        EXPECT_LT(line.size(), 1200U);
}

TEST(Command, NoticesAClosedOutput) {
    const Scratch scratch;
    const auto hook = command("closes_output.sh", {scratch.path("pid")});
    const auto error = error_of(hook->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the worker did not answer: it closed its input or output");
}

TEST(Command, SurvivesAClosedInput) {
    ASSERT_NE(signal(SIGPIPE, SIG_DFL), SIG_ERR);  // where a write to it would end this process
    const Scratch scratch;
    // The event is more than a pipe holds, so that the write can't end before the input is closed.
    auto event = event_of("1");
    event.certificate_pem.assign(300'000, 'x');
    const auto hook = command("closes_input.sh", {scratch.fifo("closed")});
    auto decision = std::async(std::launch::async, [&] { return hook->decide(event, kPatient); });
    EXPECT_EQ(read_line(scratch.path("closed")), "closed");
    const auto error = error_of(decision.get());
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "the worker did not answer: it closed its input or output");
}

TEST(Command, TakesOneLineOnly) {
    const auto error = error_of(command("two_lines.sh")->decide(event_of("1"), kPatient));
    EXPECT_EQ(error.code, Code::InvalidRequest);
    EXPECT_EQ(error.message, "expected one line, found more behind it");
}

TEST(Command, RunsRequestsAtOnce) {
    // Each worker waits for the other one: requests in turn would never end.
    const Scratch scratch;
    const auto hook = command("meets.sh", {scratch.fifo("meeting")}, 2);
    auto left = std::async(std::launch::async,
                           [&] { return hook->decide(event_of("1", "left"), kPatient); });
    const auto right = hook->decide(event_of("1", "right"), kPatient);
    ASSERT_TRUE(right) << to_string(right.error());
    EXPECT_TRUE(right->allow);
    const auto left_decision = left.get();
    ASSERT_TRUE(left_decision) << to_string(left_decision.error());
    EXPECT_TRUE(left_decision->allow);
}

TEST(Command, CountsTheWaitForAFreeWorker) {
    const Scratch scratch;
    const auto got = scratch.fifo("got");
    const auto go = scratch.fifo("go");
    const auto hook = command("waits.sh", {got, go});
    auto first =
        std::async(std::launch::async, [&] { return hook->decide(event_of("1"), kPatient); });
    EXPECT_EQ(read_line(got), "got");  // the only worker is taken
    const auto error = error_of(hook->decide(event_of("2"), kBrief));
    EXPECT_EQ(error.code, Code::Unavailable);
    EXPECT_EQ(error.message, "no worker was free in time");
    std::ofstream(go) << "go\n";
    const auto decision = first.get();
    ASSERT_TRUE(decision) << to_string(decision.error());
    EXPECT_TRUE(decision->allow);
}

TEST(Command, HandsAFreedWorkerToWhoWaits) {
    const Scratch scratch;
    const auto got = scratch.fifo("got");
    const auto go = scratch.fifo("go");
    const auto hook = command("waits.sh", {got, go});
    std::vector<std::future<Result<HookDecision>>> decisions;
    for (int i = 0; i < 3; ++i) {
        decisions.push_back(
            std::async(std::launch::async, [&] { return hook->decide(event_of("1"), kPatient); }));
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(read_line(got), "got");
        std::ofstream(go) << "go\n";
    }
    for (auto& decision : decisions) {
        const auto answer = decision.get();
        ASSERT_TRUE(answer) << to_string(answer.error());
        EXPECT_TRUE(answer->allow);
    }
}

TEST(Command, AnswersManyDevicesAtOnce) {
    const auto hook = command("serial.sh", {}, 4);
    std::vector<std::future<Result<HookDecision>>> decisions;
    for (int i = 0; i < 200; ++i) {
        const std::string serial = (i % 2 == 0 ? "123456" : "99") + std::to_string(i);
        decisions.push_back(std::async(std::launch::async, [&hook, serial] {
            return hook->decide(event_of(serial), kPatient);
        }));
    }
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        const auto decision = decisions[i].get();
        ASSERT_TRUE(decision) << to_string(decision.error());
        EXPECT_EQ(decision->allow, i % 2 == 0) << i;
    }
}

TEST(Command, GivesItsWorkerNoPassphraseAndNoDescriptor) {
    ASSERT_EQ(setenv("HATCHERY_PASSPHRASE", "hidden", 1), 0);
    ASSERT_EQ(setenv("HATCHERY_TEST_PLAIN", "seen", 1), 0);
    const int leaky = fcntl(STDERR_FILENO, F_DUPFD, 200);  // not close-on-exec
    ASSERT_GE(leaky, 200);
    const auto decision = command("environment.sh")->decide(event_of("1"), kPatient);
    close(leaky);
    unsetenv("HATCHERY_PASSPHRASE");
    unsetenv("HATCHERY_TEST_PLAIN");
    ASSERT_TRUE(decision) << to_string(decision.error());
    EXPECT_EQ(decision->parameter_overrides.at("Passphrase"), "unset");
    EXPECT_EQ(decision->parameter_overrides.at("Plain"), "seen");
    EXPECT_THAT(decision->parameter_overrides.at("Descriptors"),
                Not(HasSubstr(std::to_string(leaky))));
}

}  // namespace
}  // namespace hatchery::hooks
