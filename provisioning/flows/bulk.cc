#include "provisioning/flows/bulk.h"

#include "provisioning/flows/certificate_source.h"
#include "provisioning/flows/fleet_profile.h"
#include "provisioning/flows/parallel.h"
#include "provisioning/flows/plan.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <istream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace hatchery::flows {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxLine = 512 * 1024;  // two PEM texts of 65,536 characters, escaped

/// One line on its way: read, made ready, signed, written.
struct BulkLine {
    std::int64_t number = 0;
    std::int64_t offset = 0;
    std::string text;
    bool is_too_long = false;
    std::optional<registry::RegisteredLine> earlier;

    std::optional<Error> refusal;
    templates::Plan plan;
    CertificateSource source;
    std::optional<ca::Prepared> prepared;
    std::optional<ca::Recorded> recorded;
    std::optional<ca::Certificate> made;

    bool is_open() const { return !earlier && !refusal; }
};

using Chunk = std::vector<BulkLine>;

/// Waits for writes that were handed to the store together.
class Writes {
  public:
    /// `done` runs on the store's thread, before wait() returns.
    void hand_in(store::Store& store,
                 store::Store::Work work,
                 std::function<void(const Error&)> failed) {
        {
            const std::lock_guard lock(mutex_);
            ++open_;
        }
        store.write_async(std::move(work), [this, failed = std::move(failed)](Result<> outcome) {
            if (!outcome) failed(outcome.error());
            const std::lock_guard lock(mutex_);
            if (--open_ == 0) changed_.notify_all();
        });
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return open_ == 0; });
    }

  private:
    std::mutex mutex_;  // guards open_
    std::condition_variable changed_;
    std::size_t open_ = 0;
};

Result<templates::Parameters> line_parameters(const BulkLine& line) {
    if (line.is_too_long) {
        return fail(Code::InvalidRequest,
                    "expected a line of at most " + std::to_string(kMaxLine) + " bytes");
    }
    const json parsed = json::parse(line.text, nullptr, false);
    if (!parsed.is_object()) {
        return fail(Code::InvalidRequest,
                    "expected a JSON object of parameters, found " +
                        std::string(parsed.is_discarded() ? "other text" : parsed.type_name()));
    }
    templates::Parameters parameters;
    for (const auto& [name, value] : parsed.items()) {
        if (!value.is_string()) {
            return fail(
                Code::InvalidRequest,
                "expected a string as the value of " + name + ", found " + value.type_name());
        }
        parameters.emplace(name, value.get<std::string>());
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

    Result<BulkProgress> run() {
        auto next = next_chunk();
        if (!next) return std::move(next).error();
        while (!next->empty()) {
            Chunk chunk = std::move(*next);
            Writes writes;
            auto signed_all = sign(chunk);
            if (signed_all) hand_in(chunk, writes);
            next = signed_all ? next_chunk() : Result<Chunk>(std::move(signed_all).error());
            writes.wait();  // whatever happened: the writes refer to the chunk
            if (failure_) return std::move(*failure_);
            if (!next) return std::move(next).error();
            if (auto noted = note_refusals(chunk); !noted) return std::move(noted).error();
            if (auto reported = report(chunk); !reported) return std::move(reported).error();
            if (options_.go_on && !options_.go_on(progress_)) break;
        }
        return progress_;
    }

  private:
    /// Reads the next lines and makes them ready; none at the end of the file.
    Result<Chunk> next_chunk() {
        Chunk chunk;
        now_ = options_.clock();
        while (chunk.size() < options_.chunk) {
            auto line = next_line();
            if (!line) break;
            chunk.push_back(std::move(*line));
        }
        if (input_.bad()) return fail(Code::Unavailable, "the input file cannot be read");
        if (chunk.empty()) return chunk;
        auto done = service_.store.read([&](store::Reader& reader) {
            return registry::registered_lines(
                reader, task_.key, chunk.front().number, chunk.back().number);
        });
        if (!done) return std::move(done).error();
        auto earlier = done->begin();
        for (BulkLine& line : chunk) {
            if (earlier == done->end() || earlier->number != line.number) continue;
            line.earlier = std::move(*earlier++);
        }
        for_each_on(threads_, chunk.size(), [&](std::size_t i) {
            if (auto ready = make_ready(chunk[i]); !ready) {
                chunk[i].refusal = std::move(ready).error();
            }
        });
        return chunk;
    }

    std::optional<BulkLine> next_line() {
        while (input_.good()) {
            BulkLine line;
            line.offset = offset_;
            line.number = ++number_;
            for (int c = input_.get(); c != std::istream::traits_type::eof(); c = input_.get()) {
                ++offset_;
                if (c == '\n') break;
                if (line.text.size() < kMaxLine) {
                    line.text += static_cast<char>(c);
                } else {
                    line.is_too_long = true;
                }
            }
            const bool is_empty =
                line.text.find_first_not_of(" \t\r") == std::string::npos && !line.is_too_long;
            if (!is_empty) return line;
        }
        return std::nullopt;
    }

    Result<> make_ready(BulkLine& line) {
        if (line.earlier && line.earlier->error) return {};
        auto parameters = line_parameters(line);
        if (!parameters) return std::move(parameters).error();
        auto plan = templates::resolve(compiled_, *parameters);
        if (!plan) return std::move(plan).error();
        line.plan = std::move(*plan);
        if (line.earlier) return {};
        if (auto good = check_policy_documents(service_, line.plan); !good) return good;
        auto source = find_source(service_, line.plan, now_);
        if (!source) return std::move(source).error();
        line.source = std::move(*source);
        if (!line.source.request) return {};
        auto prepared =
            service_.issuer.prepare(*line.source.request, fleet_profile(service_, now_), now_);
        if (!prepared) return std::move(prepared).error();
        line.prepared = std::move(*prepared);
        return {};
    }

    /// ledger -> sign, for the whole chunk.
    Result<> sign(Chunk& chunk) {
        std::vector<BulkLine*> requests;
        std::vector<ca::Ledger::Entry> entries;
        for (BulkLine& line : chunk) {
            if (!line.is_open() || !line.prepared) continue;
            requests.push_back(&line);
            entries.push_back({std::move(*line.prepared), options_.requester});
        }
        if (requests.empty()) return {};
        auto recorded = service_.ledger.record_all(std::move(entries), now_);
        for (std::size_t i = 0; i < requests.size(); ++i) {
            if (recorded[i]) {
                requests[i]->recorded = std::move(*recorded[i]);
            } else if (recorded[i].error().code == Code::Unavailable) {
                return std::move(recorded[i]).error();
            } else {
                requests[i]->refusal = std::move(recorded[i]).error();
            }
        }
        for_each_on(threads_, requests.size(), [&](std::size_t i) {
            BulkLine& line = *requests[i];
            if (!line.recorded) return;
            auto certificate = service_.issuer.sign(std::move(*line.recorded));
            if (!certificate) {
                line.refusal = std::move(certificate).error();
                return;
            }
            line.source.id = certificate->id();
            line.made = std::move(*certificate);
        });
        // A key that does not answer is nobody's fault among the lines: they stay open.
        for (BulkLine* line : requests) {
            if (line->refusal && line->refusal->code == Code::Unavailable) {
                return std::move(*line->refusal);
            }
        }
        return {};
    }

    void hand_in(Chunk& chunk, Writes& writes) {
        for (BulkLine& line : chunk) {
            if (!line.is_open()) continue;
            writes.hand_in(
                service_.store,
                [this, &line, now = now_](store::Tx& tx) { return write(tx, line, now); },
                [this, &line](const Error& error) {
                    // On the store's thread, one after another; read once all are done.
                    if (error.code == Code::Unavailable) {
                        failure_ = error;
                    } else {
                        line.refusal = error;
                    }
                });
        }
    }

    Result<> write(store::Tx& tx, BulkLine& line, Time now) const {
        if (line.made) {
            auto completed = registry::StoreLedger::complete_in(tx, *line.made, now);
            if (!completed) return completed;
            auto added = add_issued(tx, service_.settings.account, *line.made, now);
            if (!added) return std::move(added).error();
            auto applied = apply(tx, service_.settings.account, line.plan, *added, now);
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

    /// A refused line is done, too; and what was signed for it must stand in the ledger.
    Result<> note_refusals(const Chunk& chunk) {
        return service_.store.write([&](store::Tx& tx) -> Result<> {
            for (const BulkLine& line : chunk) {
                if (!line.refusal || line.earlier) continue;
                if (line.made) {
                    auto completed = registry::StoreLedger::complete_in(tx, *line.made, now_);
                    if (!completed) return completed;
                }
                auto noted = registry::add_registered_line(
                    tx, task_.key, {line.number, std::nullopt, to_string(*line.refusal)});
                if (!noted) return noted;
            }
            return {};
        });
    }

    Result<> report(Chunk& chunk) {
        for (BulkLine& line : chunk) {
            auto outcome = outcome_of(line);
            (outcome ? progress_.successes : progress_.failures)++;
            if (!options_.report) continue;
            const BulkResult result{
                line.number, line.offset, std::move(outcome), line.earlier.has_value()};
            if (auto put = options_.report(result); !put) return put;
        }
        progress_.bytes = chunk.back().offset + static_cast<std::int64_t>(chunk.back().text.size());
        return {};
    }

    Result<HttpRegistration> outcome_of(BulkLine& line) {
        if (line.earlier) return earlier_outcome(line);
        if (line.refusal) return std::move(*line.refusal);
        return HttpRegistration{line.made ? line.made->pem() : std::move(line.source.pem),
                                arns_of(service_.settings.account, line.plan, line.source.id)};
    }

    /// The same answer as then, from the line, its plan and the registry.
    Result<HttpRegistration> earlier_outcome(const BulkLine& line) {
        if (line.earlier->error) return fail(Code::InvalidRequest, *line.earlier->error);
        HttpRegistration made;
        if (line.earlier->certificate) {
            auto known = service_.store.read([&](store::Reader& reader) {
                return registry::find_certificate(reader, *line.earlier->certificate);
            });
            if (!known && known.error().code != Code::NotFound) return std::move(known).error();
            if (known) {
                auto certificate = ca::Certificate::from_der(known->der);
                if (!certificate) return std::move(certificate).error();
                made.certificate_pem = certificate->pem();
            }
        }
        made.resource_arns =
            arns_of(service_.settings.account, line.plan, line.earlier->certificate);
        return made;
    }

    Service& service_;
    const registry::RegistrationTask& task_;
    templates::Template compiled_;
    std::istream& input_;
    const BulkOptions& options_;
    unsigned threads_;
    Time now_;
    std::int64_t number_ = 0;
    std::int64_t offset_ = 0;
    BulkProgress progress_;
    std::optional<Error> failure_;  // of the store, written on its thread
};

}  // namespace

std::string to_json_line(const BulkResult& result) {
    json line = {{"lineNumber", result.line}, {"offset", result.offset}};
    if (result.outcome) {
        json response = {{"ResourceArns", json::object()}};
        if (!result.outcome->certificate_pem.empty()) {
            response["CertificatePem"] = result.outcome->certificate_pem;
        }
        for (const auto& [name, arn] : result.outcome->resource_arns)
            response["ResourceArns"][name] = arn;
        line["response"] = std::move(response);
    } else {
        line["errorMessage"] = to_string(result.outcome.error());
    }
    return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
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
