#include "provisioning/flows/trace.h"

#include "ca/digest.h"
#include "provisioning/flows/log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

namespace hatchery::flows {

namespace {

constexpr std::size_t kMaxTraceText = 1'500;    // a text of one step
constexpr std::size_t kMaxTraceBytes = 16'384;  // all texts of an attempt
constexpr std::size_t kMaxTraceSteps = 32;
constexpr std::size_t kMaxTraceNames = 16;
constexpr std::size_t kMaxTraceName = 256;
constexpr std::size_t kMaxRecent = 4'096;
constexpr std::uint64_t kTrimEvery = 256;
// Long enough to put a burst into one commit, short enough for who asks `why` at once.
constexpr std::chrono::milliseconds kTracePause{100};

std::string clipped(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    text.resize(most);
    return text += "…";
}

// Identical retries are one trace: the same asker, the same question, the same end.
std::string identity_of(const registry::Attempt& attempt) {
    std::string text = std::to_string(static_cast<int>(attempt.kind));
    const auto add = [&](std::string_view part) { text.append(1, '\n').append(part); };
    add(attempt.certificate);
    add(attempt.client_id);
    add(attempt.thing);
    add(attempt.template_name);
    add(attempt.code);
    for (const auto& name : attempt.names)
        add(name);
    for (const auto& step : attempt.steps) {
        add(step.name);
        add(step.found);
    }
    const auto digest = ca::sha256(bytes_of(text));
    return std::string(text_of(digest));
}

}  // namespace

Trace::Trace(registry::AttemptKind kind, Time now) {
    attempt_.kind = kind;
    attempt_.first = now;
    attempt_.last = now;
}

void Trace::asker(const ca::Certificate& certificate) {
    attempt_.certificate = certificate.id().hex();
    names_of(certificate);
}

void Trace::asker(const CertificateId& certificate) {
    attempt_.certificate = certificate.hex();
    name(attempt_.certificate);
}

void Trace::names_of(const ca::Certificate& certificate) {
    name(certificate.id().hex());
    name(certificate.serial_hex());
    name(certificate.serial_decimal());
    for (const auto& attribute : certificate.fields().subject.attributes) {
        const bool is_name =
            attribute.oid == ca::oid::kSerialNumber || attribute.oid == ca::oid::kCommonName;
        if (is_name && attribute.text) name(attribute.value);
    }
}

void Trace::client(std::string_view client_id, std::string_view source) {
    attempt_.client_id = clipped(std::string(client_id), kMaxTraceName);
    attempt_.source = source;
    name(attempt_.client_id);
}

void Trace::name(std::string_view name) {
    auto& names = attempt_.names;
    if (name.empty() || name.size() > kMaxTraceName || names.size() >= kMaxTraceNames) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

void Trace::thing(std::string_view thing) {
    attempt_.thing = thing;
    name(thing);
}

void Trace::template_name(std::string_view name) {
    attempt_.template_name = clipped(std::string(name), kMaxTraceName);
}

void Trace::begin(std::string_view step, std::string expected) {
    if (attempt_.steps.size() >= kMaxTraceSteps) return;
    attempt_.steps.push_back({std::string(step), true, std::move(expected), {}, {}});
}

void Trace::found(std::string found, std::string where) {
    if (attempt_.steps.empty() || has_failed_) return;
    const std::size_t left = kMaxTraceBytes - std::min(bytes_, kMaxTraceBytes);
    auto& step = attempt_.steps.back();
    step.found = clipped(std::move(found), std::min(left, kMaxTraceText));
    step.where = clipped(std::move(where), kMaxTraceText);
    bytes_ += step.found.size() + step.where.size();
}

void Trace::fail(const Error& error) {
    if (has_failed_) return;
    if (attempt_.steps.empty()) begin("request");
    has_failed_ = true;
    auto& step = attempt_.steps.back();
    step.passed = false;
    step.found = clipped(error.message, kMaxTraceText);
    if (!error.where.empty() || step.where.empty()) {
        step.where = clipped(error.where, kMaxTraceText);
    }
    attempt_.code = to_string(error.code);
}

registry::Attempt Trace::finish(const Error* refusal) {
    if (refusal != nullptr) fail(*refusal);
    attempt_.succeeded = refusal == nullptr;
    return std::move(attempt_);
}

void record(TraceLog* log, Trace& trace, const Error* refusal) {
    if (log != nullptr) log->record(trace.finish(refusal));
}

TraceLog::TraceLog(store::Store& store, Limits limits)
    : store_(store), limits_(limits), thread_([this] { run(); }) {}

TraceLog::~TraceLog() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void TraceLog::record(registry::Attempt attempt) {
    const std::lock_guard lock(mutex_);
    // A success explains little: in a storm the refusals have the room.
    const std::size_t room = attempt.succeeded ? limits_.max_waiting / 2 : limits_.max_waiting;
    if (waiting_.size() >= room) {
        ++dropped_;
        return;
    }
    waiting_.push_back(std::move(attempt));
    if (waiting_.size() == 1) changed_.notify_all();
}

void TraceLog::flush() {
    std::unique_lock lock(mutex_);
    is_urgent_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return waiting_.empty() && !is_writing_; });
    is_urgent_ = false;
}

std::uint64_t TraceLog::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

void TraceLog::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !waiting_.empty() || is_stopping_; });
        if (waiting_.empty()) return;
        changed_.wait_for(lock, kTracePause, [this] { return is_urgent_ || is_stopping_; });
        Batch batch;
        batch.swap(waiting_);
        is_writing_ = true;
        lock.unlock();
        write(std::move(batch));
        lock.lock();
        is_writing_ = false;
        changed_.notify_all();
    }
}

void TraceLog::write(Batch batch) {
    struct Merged {
        std::string identity;
        registry::Attempt* attempt;
    };
    std::vector<Merged> all;
    std::map<std::string, std::size_t> places;
    for (auto& attempt : batch) {
        std::string identity = identity_of(attempt);
        const auto [place, is_new] = places.emplace(identity, all.size());
        if (is_new) {
            all.push_back({std::move(identity), &attempt});
        } else {
            registry::Attempt& same = *all[place->second].attempt;
            ++same.count;
            same.last = std::max(same.last, attempt.last);
        }
    }
    const bool trims = (written_ += all.size()) >= kTrimEvery;
    auto keys = store_.write([&](store::Tx& tx) -> Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> made;
        for (const auto& [identity, attempt] : all) {
            const auto known = recent_.find(identity);
            if (known != recent_.end()) {
                auto again =
                    registry::repeat_attempt(tx, known->second, attempt->last, attempt->count);
                if (!again && again.error().code != Code::NotFound) return again.error();
                if (again) {
                    made.push_back(known->second);
                    continue;
                }
            }
            auto key = registry::add_attempt(tx, *attempt);
            if (!key) return std::move(key).error();
            made.push_back(*key);
        }
        if (!trims) return made;
        auto trimmed = registry::trim_attempts(tx, limits_.max_refusals, limits_.max_successes);
        if (!trimmed) return std::move(trimmed).error();
        return made;
    });
    if (!keys) {
        log()->warn("traces_lost count={} reason={}",
                    batch.size(),
                    log_value(hatchery::to_string(keys.error())));
        const std::lock_guard lock(mutex_);
        dropped_ += batch.size();
        return;
    }
    if (trims) written_ = 0;
    if (recent_.size() + all.size() > kMaxRecent) recent_.clear();
    for (std::size_t i = 0; i < all.size(); ++i)
        recent_.insert_or_assign(all[i].identity, (*keys)[i]);
}

}  // namespace hatchery::flows
