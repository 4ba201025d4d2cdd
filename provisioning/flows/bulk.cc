#include "provisioning/flows/bulk.h"

#include "provisioning/flows/certificate_source.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/parallel.h"
#include "provisioning/flows/plan.h"
#include "provisioning/flows/trace.h"
#include "templates/json_document.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <future>
#include <istream>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMaxLine = 512 * 1024;  // two PEM texts of 65,536 characters, escaped

/// What is looked at, in this order.
enum class BulkStep { Line, Plan, Certificate, Ledger, Records };
struct StepWords {
    std::string_view name, expected;
};
constexpr std::array<StepWords, 5> kStepWords{
    {{"line", "a JSON object of parameters, each a string"},
     {"plan", "every value of the template has one"},
     {"certificate", "a request that may be signed, or a certificate that may be registered"},
     {"ledger", "what must hold over all certificates: one of a device, a key that is free"},
     {"records", "everything that the plan names exists, and nothing is in its way"}}};

/// One line on its way: read, made ready, signed, written.
struct BulkLine {
    std::int64_t number = 0;
    std::int64_t offset = 0;
    std::string text;
    bool is_too_long = false;
    std::optional<registry::RegisteredLine> earlier;

    BulkStep step = BulkStep::Line;  // how far it has come
    std::optional<Error> refusal;
    templates::Plan plan;
    CertificateSource source;
    std::optional<ca::Prepared> prepared;
    std::optional<ca::Recorded> recorded;
    std::optional<ca::Certificate> made;

    bool is_open() const { return !earlier && !refusal; }
};

/// Lines that go through the stages together: read and made ready, recorded, signed, written.
struct Chunk {
    std::vector<BulkLine> lines;
    Time now;
    std::vector<BulkLine*> requests;  // those that a certificate is signed for
    std::future<std::vector<Result<ca::Recorded>>> recording;

    std::mutex mutex;  // guards what follows, shared with the store's thread
    std::condition_variable changed;
    std::size_t open_writes = 0;
    std::optional<Error> failure;  // of the store itself

    Chunk() = default;
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    ~Chunk() { wait(); }  // the store's thread refers to it

    /// Until the store has answered every write; the store's failure, if there was one.
    std::optional<Error> wait() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return open_writes == 0; });
        return failure;
    }
};

/// PEM inside a JSON string: the ends of its lines are all that must be escaped.
void append_pem(std::string& text, std::string_view pem) {
    for (std::size_t end = 0; (end = pem.find('\n')) != std::string_view::npos;) {
        text.append(pem.substr(0, end)).append("\\n");
        pem.remove_prefix(end + 1);
    }
    text.append(pem);
}

Result<templates::Parameters> line_parameters(const BulkLine& line) {
    if (line.is_too_long) {
        return fail(Code::InvalidRequest,
                    "expected a line of at most " + std::to_string(kMaxLine) + " bytes");
    }
    const auto document = templates::json::Document::parse(line.text);
    if (!document) {
        return fail(Code::InvalidRequest,
                    document.error().message,
                    "column " + std::to_string(document.error().range.column));
    }
    const auto found = [](templates::json::Value value) {
        return ", found " + std::string(templates::json::to_string(value.type()));
    };
    const auto place = [&](templates::json::Value value) {
        const auto range = (*document)->range(value.node().begin, value.node().end);
        return "column " + std::to_string(range.column);
    };
    const auto root = (*document)->root();
    if (!root.is(templates::json::Type::Object)) {
        return fail(Code::InvalidRequest, "expected a JSON object of parameters" + found(root));
    }
    templates::Parameters parameters;
    for (const auto value : root) {
        const std::string name(value.key());
        if (!value.is(templates::json::Type::String)) {
            return fail(Code::InvalidRequest,
                        "expected a string as the value of " + name + found(value),
                        place(value));
        }
        if (!parameters.emplace(name, value.text()).second) {
            return fail(
                Code::InvalidRequest, "expected " + name + " once, found it twice", place(value));
        }
    }
    return parameters;
}

class BulkRun {
  public:
    BulkRun(Service& service,
            const registry::RegistrationTask& task,
            templates::Template compiled,
            std::istream& input,
            const BulkOptions& options)
        : service_(service),
          task_(task),
          compiled_(std::move(compiled)),
          input_(input),
          options_(options),
          threads_(options.threads != 0 ? options.threads
                                        : std::max(1U, std::thread::hardware_concurrency())) {}

    /// Three chunks are on their way: while one is signed, the next one's intentions are being
    /// committed to the ledger, and the records of the one before it.
    Result<BulkProgress> run() {
        auto next = begin_chunk();
        std::future<Result<bool>> finishing;
        bool reads_on = true;
        while (next && *next) {
            const std::shared_ptr<Chunk> chunk = std::move(*next);
            next = reads_on ? begin_chunk() : std::shared_ptr<Chunk>();
            auto signed_all = sign(*chunk);
            if (signed_all) hand_in(*chunk);
            if (finishing.valid()) {
                auto goes_on = finishing.get();
                if (!goes_on) return std::move(goes_on).error();
                reads_on = reads_on && *goes_on;
            }
            if (!signed_all) return std::move(signed_all).error();
            finishing = std::async(std::launch::async, [this, chunk] { return finish(*chunk); });
        }
        if (finishing.valid()) {
            if (auto finished = finishing.get(); !finished) return std::move(finished).error();
        }
        if (!next) return std::move(next).error();
        return progress_;
    }

  private:
    /// Reads the next lines, makes them ready and hands them to the ledger; null at the end of the
    /// file.
    Result<std::shared_ptr<Chunk>> begin_chunk() {
        auto chunk = std::make_shared<Chunk>();
        auto& lines = chunk->lines;
        chunk->now = options_.clock();
        while (lines.size() < options_.chunk) {
            auto line = next_line();
            if (!line) break;
            lines.push_back(std::move(*line));
        }
        if (input_.bad()) return fail(Code::Unavailable, "the input file cannot be read");
        if (lines.empty()) return std::shared_ptr<Chunk>();
        auto done = service_.store.read([&](store::Reader& reader) {
            return registry::registered_lines(
                reader, task_.key, lines.front().number, lines.back().number);
        });
        if (!done) return std::move(done).error();
        auto earlier = done->begin();
        for (BulkLine& line : lines) {
            if (earlier == done->end() || earlier->number != line.number) continue;
            line.earlier = std::move(*earlier++);
        }
        const ca::Profile profile = fleet_profile(service_, chunk->now);
        for_each_on(threads_, lines.size(), [&](std::size_t i) {
            if (auto ready = make_ready(lines[i], profile, chunk->now); !ready) {
                lines[i].refusal = std::move(ready).error();
            }
        });
        record(*chunk);
        return chunk;
    }

    void record(Chunk& chunk) {
        std::vector<ca::Ledger::Entry> entries;
        for (BulkLine& line : chunk.lines) {
            if (!line.is_open() || !line.prepared) continue;
            chunk.requests.push_back(&line);
            entries.push_back({std::move(*line.prepared), options_.requester});
        }
        if (entries.empty()) return;
        chunk.recording = std::async(
            std::launch::async, [this, entries = std::move(entries), now = chunk.now]() mutable {
                return service_.ledger.record_all(std::move(entries), now);
            });
    }

    std::optional<BulkLine> next_line() {
        while (input_.good()) {
            BulkLine line;
            line.offset = offset_;
            line.number = ++number_;
            read_into(line);
            const bool is_empty =
                line.text.find_first_not_of(" \t\r") == std::string::npos && !line.is_too_long;
            if (!is_empty) return line;
        }
        return std::nullopt;
    }

    /// Up to the end of the line, piece by piece: not every file has one.
    void read_into(BulkLine& line) {
        std::array<char, 4096> piece;
        do {
            input_.clear(input_.rdstate() & ~std::ios::failbit);
            input_.getline(piece.data(), piece.size());
            offset_ += input_.gcount();
            const bool has_end = input_.good();
            const std::string_view text(
                piece.data(), static_cast<std::size_t>(input_.gcount() - (has_end ? 1 : 0)));
            if (line.text.size() + text.size() > kMaxLine) {
                line.is_too_long = true;
            } else {
                line.text += text;
            }
        } while (input_.fail() && !input_.eof() && !input_.bad());  // a full piece: it goes on
    }

    Result<> make_ready(BulkLine& line, const ca::Profile& profile, Time now) {
        if (line.earlier && line.earlier->error) return {};
        auto parameters = line_parameters(line);
        if (!parameters) return std::move(parameters).error();
        line.step = BulkStep::Plan;
        auto plan = templates::resolve(compiled_, *parameters);
        if (!plan) return std::move(plan).error();
        line.plan = std::move(*plan);
        if (line.earlier) return recall(line);
        if (auto good = check_policy_documents(service_, line.plan); !good) return good;
        line.step = BulkStep::Certificate;
        auto source = find_source(service_, line.plan, now);
        if (!source) return std::move(source).error();
        line.source = std::move(*source);
        if (!line.source.request) {
            line.step = BulkStep::Records;
            return {};
        }
        auto prepared = service_.issuer.prepare(*line.source.request, profile, now);
        if (!prepared) return std::move(prepared).error();
        line.prepared = std::move(*prepared);
        line.source.request.reset();
        line.step = BulkStep::Ledger;
        return {};
    }

    /// What a line that is done became, for the same answer as then.
    Result<> recall(BulkLine& line) const {
        if (!line.earlier->certificate) return {};
        line.source.id = *line.earlier->certificate;
        auto known = service_.store.read([&](store::Reader& reader) {
            return registry::find_certificate(reader, line.source.id);
        });
        if (known) line.source.pem = ca::certificate_pem(known->der);
        if (known || known.error().code == Code::NotFound) return {};  // deleted since
        return std::move(known).error();
    }

    /// Signs what the ledger has recorded.
    Result<> sign(Chunk& chunk) {
        if (chunk.requests.empty()) return {};
        auto recorded = chunk.recording.get();
        for (std::size_t i = 0; i < recorded.size(); ++i) {
            if (recorded[i]) {
                chunk.requests[i]->recorded = std::move(*recorded[i]);
            } else if (recorded[i].error().code == Code::Unavailable) {
                return std::move(recorded[i]).error();
            } else {
                chunk.requests[i]->refusal = std::move(recorded[i]).error();
            }
        }
        for_each_on(threads_, chunk.requests.size(), [&](std::size_t i) {
            BulkLine& line = *chunk.requests[i];
            if (!line.recorded) return;
            line.step = BulkStep::Records;
            auto certificate = service_.issuer.sign(std::move(*line.recorded));
            if (!certificate) {
                line.refusal = std::move(certificate).error();
                return;
            }
            line.source.id = certificate->id();
            line.made = std::move(*certificate);
        });
        // A key that does not answer is nobody's fault among the lines: they stay open.
        for (BulkLine* line : chunk.requests) {
            if (line->refusal && line->refusal->code == Code::Unavailable) {
                return std::move(*line->refusal);
            }
        }
        return {};
    }

    void hand_in(Chunk& chunk) {
        for (BulkLine& line : chunk.lines) {
            if (!line.is_open()) continue;
            {
                const std::lock_guard lock(chunk.mutex);
                ++chunk.open_writes;
            }
            service_.store.write_async(
                [this, &line, now = chunk.now](store::Tx& tx) { return write(tx, line, now); },
                [&chunk, &line](Result<> outcome) {
                    const std::lock_guard lock(chunk.mutex);
                    if (!outcome && outcome.error().code == Code::Unavailable) {
                        chunk.failure = std::move(outcome).error();
                    } else if (!outcome) {
                        line.refusal = std::move(outcome).error();
                    }
                    if (--chunk.open_writes == 0) chunk.changed.notify_all();
                });
        }
    }

    Result<> write(store::Tx& tx, BulkLine& line, Time now) const {
        if (line.made) {
            auto completed = registry::StoreLedger::complete_in(tx, *line.made, now);
            if (!completed) return completed;
            auto applied = apply_issued(tx, service_.settings.account, line.plan, *line.made, now);
            if (!applied) return applied;
        } else {
            auto applied =
                apply_with_source(tx, service_.settings.account, line.plan, line.source, now);
            if (!applied) return applied;
        }
        registry::RegisteredLine done{line.number, std::nullopt, std::nullopt};
        if (line.plan.certificate) done.certificate = line.source.id;
        return registry::add_registered_line(tx, task_.key, done);
    }

    /// Waits until the chunk is durable, then tells its outcomes. Does the run go on?
    Result<bool> finish(Chunk& chunk) {
        if (auto failure = chunk.wait()) return std::move(*failure);
        if (auto noted = note_refusals(chunk); !noted) return std::move(noted).error();
        if (auto reported = report(chunk); !reported) return std::move(reported).error();
        return !options_.go_on || options_.go_on(progress_);
    }

    /// A refused line is done, too; and what was signed for it must stand in the ledger.
    Result<> note_refusals(const Chunk& chunk) {
        std::vector<const BulkLine*> refused;
        for (const BulkLine& line : chunk.lines) {
            if (line.refusal && !line.earlier) refused.push_back(&line);
        }
        if (refused.empty()) return {};
        auto written = service_.store.write([&](store::Tx& tx) -> Result<> {
            for (const BulkLine* line : refused) {
                if (line->made) {
                    auto completed = registry::StoreLedger::complete_in(tx, *line->made, chunk.now);
                    if (!completed) return completed;
                }
                auto noted = registry::add_registered_line(
                    tx, task_.key, {line->number, std::nullopt, to_string(*line->refusal)});
                if (!noted) return noted;
            }
            return {};
        });
        if (!written) return written;
        for (const BulkLine* line : refused)
            explain(*line, chunk.now);
        return {};
    }

    /// Leaves a trace of a refused line, for `hatchery why`.
    void explain(const BulkLine& line, Time now) const {
        if (service_.traces == nullptr) return;
        Trace trace(registry::AttemptKind::RegisterBulk, now);
        if (line.plan.thing) trace.thing(line.plan.thing->thing_name);
        if (line.made) trace.names_of(*line.made);
        if (auto parameters = line_parameters(line)) {
            for (const auto& [name, value] : *parameters)
                trace.name(value);
        }
        trace.name(task_.id);
        for (std::size_t step = 0; step <= static_cast<std::size_t>(line.step); ++step) {
            const auto& [name, expected] = kStepWords.at(step);
            trace.begin(name, std::string(expected));
            if (name == "line") {
                trace.found("line " + std::to_string(line.number) + " of " + task_.file);
            } else if (name == "plan") {
                trace.found(summary_of(line.plan));
            }
        }
        flows::record(service_.traces, trace, &*line.refusal);
    }

    Result<> report(Chunk& chunk) {
        for (BulkLine& line : chunk.lines) {
            auto outcome = outcome_of(line);
            (outcome ? progress_.successes : progress_.failures)++;
            if (!options_.report) continue;
            const BulkResult result{
                line.number, line.offset, std::move(outcome), line.earlier.has_value()};
            if (auto put = options_.report(result); !put) return put;
        }
        const BulkLine& last = chunk.lines.back();
        progress_.bytes = last.offset + static_cast<std::int64_t>(last.text.size());
        return {};
    }

    Result<HttpRegistration> outcome_of(BulkLine& line) {
        if (line.earlier && line.earlier->error) {
            return fail(Code::InvalidRequest, *line.earlier->error);
        }
        if (line.refusal) return std::move(*line.refusal);
        return HttpRegistration{line.made ? line.made->pem() : std::move(line.source.pem),
                                arns_of(service_.settings.account, line.plan, line.source.id)};
    }

    Service& service_;
    const registry::RegistrationTask& task_;
    templates::Template compiled_;
    std::istream& input_;
    const BulkOptions& options_;
    unsigned threads_;
    std::int64_t number_ = 0;
    std::int64_t offset_ = 0;
    BulkProgress progress_;  // of the chunks that are finished, one after another
};

}  // namespace

std::string to_json_line(const BulkResult& result) {
    using templates::json::append_quoted;
    const std::string numbers = R"("lineNumber":)" + std::to_string(result.line) + R"(,"offset":)" +
                                std::to_string(result.offset);
    std::string line = "{";
    if (!result.outcome) {
        append_quoted(line.append(R"("errorMessage":)"), to_string(result.outcome.error()));
        return line.append(",").append(numbers).append("}\n");
    }
    // Without a tree of the whole: it took longer than reading the line.
    line.append(numbers).append(R"(,"response":{)");
    if (!result.outcome->certificate_pem.empty()) {
        line.append(R"("CertificatePem":")");
        append_pem(line, result.outcome->certificate_pem);
        line.append(R"(",)");
    }
    line.append(R"("ResourceArns":{)");
    for (const char* comma = ""; const auto& [name, arn] : result.outcome->resource_arns) {
        append_quoted(line.append(std::exchange(comma, ",")), name);
        append_quoted(line.append(":"), arn);
    }
    return line.append("}}}\n");
}

Result<BulkProgress> register_lines(Service& service,
                                    const registry::RegistrationTask& task,
                                    std::istream& input,
                                    const BulkOptions& options) {
    auto compiled =
        service.compiled.provisioning_template(task.template_body, templates::Kind::Bulk);
    if (!compiled) return std::move(compiled).error();
    return BulkRun(service, task, std::move(*compiled), input, options).run();
}

}  // namespace hatchery::flows
