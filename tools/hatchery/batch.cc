#include "tools/hatchery/batch.h"

#include "provisioning/registry/ledger.h"
#include "tools/hatchery/bundle.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <unordered_set>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

/// Certificates in one commit: enough that its fsync and its dirty pages cost little, few enough to
/// lose by a kill.
constexpr std::size_t kChunk = 1024;
constexpr std::size_t kLastChunk = 64;  ///< chunks shrink to this, so that all lanes end together
constexpr std::size_t kMaxBatchCsr = 64 * 1024;
constexpr std::size_t kMaxManifest = 256U << 20U;

enum class Status { Open, Signed, Again, Refused };

/// One item on its way through a chunk.
struct Work {
    const BatchItem* item = nullptr;
    Status status = Status::Open;
    std::optional<ca::Csr> csr;
    std::string key, serial;  ///< its names in InFlight
    bool is_taken = false;    ///< no: another request has one of the names now
    std::optional<ca::Prepared> prepared;
    std::optional<ca::Certificate> certificate;
    bool is_written = false;
    std::string error;

    void refuse(const Error& why) {
        status = Status::Refused;
        error = std::string(registry::refusal_word(why)) + ": " + to_string(why);
    }
};

/// Neither synced nor moved into place: what a kill or a power cut leaves empty or half is found by
/// the next run, which compares, and written again from the ledger. Moving costs as much as
/// writing.
Result<> put_file(const fs::path& path, std::string_view content) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPublic));
    if (!file.is_open()) return file_error("write", path, errno);
    return disk::write_all(file.get(), content, path);
}

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"') quoted += '"';
        quoted += c == '\n' || c == '\r' ? ' ' : c;
    }
    return quoted + "\"";
}

/// The keys and device serial numbers that lanes are at: a request that names one of them waits for
/// a later round, where it finds the certificate. Thread-safe.
class InFlight {
  public:
    /// Takes both names of a request, or neither.
    bool take(const std::string& key, const std::string& serial) {
        const std::lock_guard lock(mutex_);
        if (names_.contains(key) || (!serial.empty() && names_.contains(serial))) return false;
        names_.insert(key);
        if (!serial.empty()) names_.insert(serial);
        return true;
    }
    void give_back(const std::string& key, const std::string& serial) {
        const std::lock_guard lock(mutex_);
        names_.erase(key);
        names_.erase(serial);
    }

  private:
    std::mutex mutex_;  // guards names_
    std::unordered_set<std::string> names_;
};

/// Lanes take chunks one after another, each through all of its steps: while one waits for the
/// store's fsync the others keep the cores busy, and the store commits for several lanes at once.
class Batch {
  public:
    Batch(OfflineIssuer& desk,
          const ca::Profile& profile,
          const BatchItems& items,
          const BatchOptions& options)
        : desk_(desk),
          profile_(profile),
          items_(items),
          options_(options),
          requester_(requester()) {
        const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
        lanes_ = (options.threads != 0 ? options.threads : cores) + 1;
        const ca::Certificate& own = desk.ca().certificate();
        chain_pem_ = desk.ca().chain_pem(own).substr(own.pem().size());
    }

    Result<BatchOutcome> run() {
        report_.open(options_.report, std::ios::trunc);
        report_ << "file,status,serialNumber,certificateId,error\n";
        if (!report_) return file_error("write", options_.report, errno);
        if (!options_.bundle.empty()) {
            auto bundle = Bundle::create(options_.bundle);
            if (!bundle) return std::move(bundle).error();
            bundle_ = std::move(*bundle);
        }
        started_ = std::chrono::steady_clock::now();
        total_ = items_.items.size();
        open_.reserve(total_);
        for (const auto& item : items_.items)
            open_.push_back(&item);
        while (!open_.empty() && !failure_) {
            next_ = 0;
            {
                std::vector<std::jthread> lanes;
                for (unsigned i = 0; i < lanes_; ++i)
                    lanes.emplace_back([this] { run_lane(); });
            }
            open_ = std::move(later_);
            later_.clear();
        }
        if (failure_) return *failure_;
        if (bundle_) {
            if (auto whole = bundle_->finish(); !whole) return std::move(whole).error();
        }
        report_.close();
        if (!report_) return file_error("write", options_.report, errno);
        if (options_.shows_progress) std::fputc('\n', stderr);
        return outcome_;
    }

  private:
    void run_lane() {
        for (;;) {
            std::vector<Work> work;
            {
                const std::lock_guard lock(mutex_);
                if (failure_ || next_ == open_.size()) return;
                const std::size_t left = open_.size() - next_;
                work.resize(std::min(left, std::clamp(left / (2 * lanes_), kLastChunk, kChunk)));
                for (auto& one : work)
                    one.item = open_[next_++];
            }
            auto done = sign_chunk(work);
            for (const auto& one : work) {
                if (one.is_taken) in_flight_.give_back(one.key, one.serial);
            }
            const std::string lines = done && bundle_ ? lines_of(work) : "";
            const std::lock_guard lock(mutex_);
            if (done && bundle_) done = bundle_->append(lines);
            if (done) done = report(work);
            if (!done && !failure_) failure_ = std::move(done).error();
            show();
        }
    }

    Result<> sign_chunk(std::vector<Work>& work) {
        for (auto& one : work) {
            open(one);
            if (one.status == Status::Open) one.is_taken = in_flight_.take(one.key, one.serial);
        }
        if (auto found = find_earlier(work); !found) return found;
        std::vector<Work*> fresh;
        const Time now = clock_now();
        for (auto& one : work) {
            if (!one.is_taken || one.status != Status::Open) continue;
            auto prepared = desk_.ca().prepare(*one.csr, profile_, now);
            if (!prepared) {
                one.refuse(prepared.error());
                continue;
            }
            one.prepared = std::move(*prepared);
            fresh.push_back(&one);
        }
        if (auto done = issue(fresh, now); !done) return done;
        for (auto& one : work) {
            if (bundle_ || !has_certificate(one) || one.is_written) continue;
            auto put = put_file(out_of(one), one.certificate->pem() + chain_pem_);
            if (!put) return put;
        }
        return {};
    }

    void open(Work& one) const {
        auto content = read_file(items_.csr_of(*one.item), kMaxBatchCsr);
        if (!content) return one.refuse(content.error());
        auto csr = ca::Csr::parse(bytes_of(*content));
        if (!csr) return one.refuse(csr.error());
        one.csr = std::move(*csr);
        one.key = text_of(one.csr->fields().public_key_der);
        if (profile_.one_per_device) {
            one.serial = one.csr->fields().subject.first(ca::oid::kSerialNumber).value_or("");
        }
    }

    /// What has its certificate already, from a run that was killed or from an equal request.
    Result<> find_earlier(std::vector<Work>& work) {
        return desk_.store().read([&](store::Reader& reader) -> Result<> {
            for (auto& one : work) {
                if (!one.is_taken) continue;
                auto earlier = desk_.find_earlier(reader, *one.csr, profile_);
                if (!earlier && earlier.error().code == Code::NotFound) continue;
                if (!earlier) return std::move(earlier).error();
                one.certificate = std::move(*earlier);
                one.status = Status::Again;
                if (bundle_) continue;
                std::error_code ignored;
                const fs::path out = out_of(one);
                if (!fs::exists(out, ignored)) continue;
                auto pem = read_file(out);
                one.is_written = pem && *pem == one.certificate->pem() + chain_pem_;
            }
            return {};
        });
    }

    /// prepare -> ledger -> sign -> store, each step for the whole chunk.
    Result<> issue(const std::vector<Work*>& fresh, Time now) {
        if (fresh.empty()) return {};
        std::vector<ca::Ledger::Entry> entries;
        entries.reserve(fresh.size());
        for (Work* one : fresh)
            entries.push_back({std::move(*one->prepared), requester_});
        registry::StoreLedger ledger(desk_.store());
        auto recorded = ledger.record_all(std::move(entries), now);
        for (std::size_t i = 0; i < fresh.size(); ++i) {
            Work& one = *fresh[i];
            if (!recorded[i] && recorded[i].error().code == Code::Unavailable) {
                return std::move(recorded[i]).error();
            }
            if (!recorded[i]) {
                one.refuse(recorded[i].error());
                desk_.note_refusal(*one.csr, profile_, recorded[i].error());
                continue;
            }
            auto certificate = desk_.ca().sign(std::move(*recorded[i]));
            if (!certificate) {
                one.refuse(certificate.error());
                continue;
            }
            one.certificate = std::move(*certificate);
        }
        auto stored = desk_.store().write([&](store::Tx& tx) -> Result<> {
            for (const Work* one : fresh) {
                if (!one->certificate) continue;
                auto done = registry::StoreLedger::complete_in(tx, *one->certificate, now);
                if (!done) return done;
            }
            return {};
        });
        if (!stored) return stored;
        for (Work* one : fresh) {
            if (one->certificate) one->status = Status::Signed;
        }
        return {};
    }

    static bool has_certificate(const Work& one) {
        return one.certificate && (one.status == Status::Signed || one.status == Status::Again);
    }
    std::string lines_of(const std::vector<Work>& work) const {
        std::string lines;
        for (const auto& one : work) {
            if (!has_certificate(one)) continue;
            lines += bundle_line(items_.csr_of(*one.item).string(), *one.certificate);
        }
        return lines;
    }
    fs::path out_of(const Work& one) const {
        return options_.out_folder / BatchItems::out_of(*one.item);
    }

    /// Under the mutex.
    Result<> report(const std::vector<Work>& work) {
        for (const auto& one : work) {
            if (one.status == Status::Open) {
                later_.push_back(one.item);
                continue;
            }
            const bool is_refused = one.status == Status::Refused;
            (is_refused                     ? outcome_.refused
             : one.status == Status::Signed ? outcome_.is_signed
                                            : outcome_.was_signed)++;
            report_ << csv_field(items_.csr_of(*one.item).string()) << ','
                    << (is_refused                     ? "refused"
                        : one.status == Status::Signed ? "signed"
                                                       : "again")
                    << ',' << (is_refused ? "" : one.certificate->serial_hex()) << ','
                    << (is_refused ? "" : one.certificate->id().hex()) << ','
                    << csv_field(one.error) << '\n';
        }
        report_.flush();
        if (!report_) return file_error("write", options_.report, errno);
        return {};
    }

    /// Under the mutex.
    void show() const {
        if (!options_.shows_progress) return;
        const std::size_t done = outcome_.is_signed + outcome_.was_signed + outcome_.refused;
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
        constexpr std::size_t kWidth = 40;
        const std::size_t filled = total_ == 0 ? kWidth : kWidth * done / total_;
        std::fprintf(stderr,
                     "\r[%-40s] %zu/%zu  %.0f/s  %zu refused ",
                     std::string(filled, '#').c_str(),
                     done,
                     total_,
                     static_cast<double>(done) / std::max(took.count(), 0.001),
                     outcome_.refused);
    }

    OfflineIssuer& desk_;
    const ca::Profile& profile_;
    const BatchItems& items_;
    const BatchOptions& options_;
    std::string requester_;
    std::string chain_pem_;  ///< what follows every leaf
    unsigned lanes_ = 2;
    InFlight in_flight_;
    std::size_t total_ = 0;
    std::chrono::steady_clock::time_point started_;

    std::mutex mutex_;  // guards what is below
    std::vector<const BatchItem*> open_, later_;
    std::size_t next_ = 0;  // of open_
    std::optional<Error> failure_;
    std::ofstream report_;
    std::optional<Bundle> bundle_;
    BatchOutcome outcome_;
};

Result<BatchItems> read_manifest(const fs::path& manifest) {
    auto text = read_file(manifest, kMaxManifest);
    if (!text) return std::move(text).error();
    BatchItems batch{manifest.parent_path(), {}};
    std::istringstream lines(std::move(*text));
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
            line.pop_back();
        if (line.empty() || (number == 1 && (line == "csr" || line == "csr,out"))) continue;
        const auto comma = line.find(',');
        std::string csr = line.substr(0, comma);
        std::string out = comma == std::string::npos ? "" : line.substr(comma + 1);
        if (csr.empty() || line.find('"') != std::string::npos ||
            out.find(',') != std::string::npos) {
            return fail(Code::InvalidRequest,
                        "expected \"csr\" or \"csr,out\" without quotes",
                        manifest.string() + ":" + std::to_string(number));
        }
        batch.items.push_back({std::move(csr), std::move(out)});
    }
    return batch;
}

Result<BatchItems> read_folder(const fs::path& folder) {
    BatchItems batch{folder, {}};
    std::error_code problem;
    fs::directory_iterator files(folder, problem);
    if (problem) return file_error("read", folder, problem.value());
    for (const auto& entry : files) {
        const auto extension = entry.path().extension();
        if (extension != ".csr" && extension != ".pem" && extension != ".der") continue;
        batch.items.push_back({entry.path().filename().string(), {}});
    }
    std::ranges::sort(batch.items, {}, &BatchItem::csr);
    return batch;
}

}  // namespace

fs::path BatchItems::out_of(const BatchItem& item) {
    return item.out.empty() ? fs::path(item.csr).filename().replace_extension(".crt")
                            : fs::path(item.out);
}

Result<BatchItems> read_batch(const fs::path& source) {
    std::error_code ignored;
    auto batch = fs::is_directory(source, ignored) ? read_folder(source) : read_manifest(source);
    if (!batch) return batch;
    std::vector<std::string> outs;
    outs.reserve(batch->items.size());
    for (const auto& item : batch->items)
        outs.push_back(BatchItems::out_of(item).string());
    std::ranges::sort(outs);
    const auto twice = std::ranges::adjacent_find(outs);
    if (twice == outs.end()) return batch;
    return fail(
        Code::InvalidRequest, "two requests would be written to " + *twice, source.string());
}

Result<BatchOutcome> sign_batch(OfflineIssuer& desk,
                                const ca::Profile& profile,
                                const BatchItems& items,
                                const BatchOptions& options) {
    return Batch(desk, profile, items, options).run();
}

}  // namespace hatchery::command
