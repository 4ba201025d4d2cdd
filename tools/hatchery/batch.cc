#include "tools/hatchery/batch.h"

#include "ca/digest.h"
#include "provisioning/flows/parallel.h"
#include "provisioning/registry/ledger.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

/// Certificates in one commit: enough that its fsync costs little, few enough to lose by a kill.
constexpr std::size_t kChunk = 512;
constexpr std::size_t kMaxBatchCsr = 64 * 1024;
constexpr std::size_t kMaxManifest = 256U << 20U;

enum class Status { Open, Signed, Again, Refused };

/// One item on its way through a chunk.
struct Work {
    const BatchItem* item = nullptr;
    Status status = Status::Open;
    std::optional<ca::Csr> csr;
    std::optional<ca::Prepared> prepared;
    std::optional<ca::Recorded> recorded;
    std::optional<ca::Certificate> certificate;
    bool is_written = false;
    std::string error;

    void refuse(const Error& why) {
        status = Status::Refused;
        error = std::string(registry::refusal_word(why)) + ": " + to_string(why);
    }
};

/// Whole or not there, but not synced: after a power cut the ledger has it.
Result<> put_file(const fs::path& path, std::string_view content) {
    const fs::path temporary = path.string() + ".tmp";
    {
        const Descriptor file(
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPublic));
        if (!file.is_open()) return file_error("write", path, errno);
        while (!content.empty()) {
            const ssize_t put = ::write(file.get(), content.data(), content.size());
            if (put < 0) return file_error("write", path, errno);
            content.remove_prefix(static_cast<std::size_t>(put));
        }
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) return file_error("write", path, errno);
    return {};
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

class Batch {
  public:
    Batch(OfflineIssuer& desk, const ca::Profile& profile, const BatchOptions& options)
        : desk_(desk), profile_(profile), options_(options), requester_(requester()) {
        threads_ = options.threads != 0 ? options.threads
                                        : std::max(1U, std::thread::hardware_concurrency());
    }

    Result<BatchOutcome> run(const std::vector<BatchItem>& items) {
        report_.open(options_.report, std::ios::trunc);
        report_ << "file,status,serialNumber,certificateId,error\n";
        if (!report_) return file_error("write", options_.report, errno);
        started_ = std::chrono::steady_clock::now();
        total_ = items.size();
        std::vector<const BatchItem*> open;
        for (const auto& item : items)
            open.push_back(&item);
        // A request that is in a chunk twice waits for the next, where it finds its certificate.
        while (!open.empty()) {
            std::vector<const BatchItem*> later;
            for (std::size_t at = 0; at < open.size(); at += kChunk) {
                const std::size_t end = std::min(open.size(), at + kChunk);
                std::vector<const BatchItem*> chunk(
                    open.begin() + static_cast<std::ptrdiff_t>(at),
                    open.begin() + static_cast<std::ptrdiff_t>(end));
                if (auto done = sign_chunk(chunk, later); !done) return std::move(done).error();
                show();
            }
            open = std::move(later);
        }
        report_.close();
        if (!report_) return file_error("write", options_.report, errno);
        if (options_.shows_progress) std::fputc('\n', stderr);
        return outcome_;
    }

  private:
    Result<> sign_chunk(const std::vector<const BatchItem*>& chunk,
                        std::vector<const BatchItem*>& later) {
        std::vector<Work> work(chunk.size());
        for (std::size_t i = 0; i < chunk.size(); ++i)
            work[i].item = chunk[i];
        flows::for_each_on(threads_, work.size(), [&](std::size_t i) { open(work[i]); });
        std::vector<Work*> fresh;
        std::set<std::array<std::uint8_t, 32>> keys;
        for (auto& one : work) {
            if (one.status != Status::Open) continue;
            if (!keys.insert(ca::sha256(one.csr->fields().public_key_der)).second) {
                later.push_back(one.item);
                continue;
            }
            fresh.push_back(&one);
        }
        if (auto done = issue(fresh); !done) return done;
        std::atomic<bool> is_failed{false};
        Error failure;
        std::mutex mutex;
        flows::for_each_on(threads_, work.size(), [&](std::size_t i) {
            if (auto put = write(work[i]); !put && !is_failed.exchange(true)) {
                const std::lock_guard lock(mutex);
                failure = std::move(put).error();
            }
        });
        if (is_failed) return failure;
        return report(work);
    }

    /// Reads a request, and finds out whether it has its certificate already.
    void open(Work& one) {
        auto content = read_file(one.item->csr, kMaxBatchCsr);
        if (!content) return one.refuse(content.error());
        auto csr = ca::Csr::parse(bytes_of(*content));
        if (!csr) return one.refuse(csr.error());
        one.csr = std::move(*csr);
        auto earlier = desk_.find_earlier(*one.csr, profile_);
        if (!earlier && earlier.error().code != Code::NotFound) return one.refuse(earlier.error());
        if (!earlier) {
            auto prepared = desk_.ca().prepare(*one.csr, profile_, clock_now());
            if (!prepared) return one.refuse(prepared.error());
            one.prepared = std::move(*prepared);
            return;
        }
        one.certificate = std::move(*earlier);
        one.status = Status::Again;
        std::error_code ignored;
        if (!fs::exists(one.item->out, ignored)) return;
        auto pem = read_file(one.item->out);
        one.is_written = pem && *pem == desk_.ca().chain_pem(*one.certificate);
    }

    /// prepare -> ledger -> sign -> store, each step for the whole chunk.
    Result<> issue(const std::vector<Work*>& fresh) {
        if (fresh.empty()) return {};
        const Time now = clock_now();
        std::vector<ca::Prepared> prepared;
        prepared.reserve(fresh.size());
        for (Work* one : fresh)
            prepared.push_back(std::move(*one->prepared));
        registry::StoreLedger ledger(desk_.store());
        auto recorded = ledger.record_all(std::move(prepared), requester_, now);
        std::vector<Work*> accepted;
        for (std::size_t i = 0; i < fresh.size(); ++i) {
            if (recorded[i]) {
                fresh[i]->recorded = std::move(*recorded[i]);
                accepted.push_back(fresh[i]);
            } else if (recorded[i].error().code == Code::Unavailable) {
                return std::move(recorded[i]).error();
            } else {
                fresh[i]->refuse(recorded[i].error());
                desk_.note_refusal(*fresh[i]->csr, profile_, recorded[i].error());
            }
        }
        flows::for_each_on(threads_, accepted.size(), [&](std::size_t i) {
            Work& one = *accepted[i];
            auto certificate = desk_.ca().sign(std::move(*one.recorded));
            if (!certificate) return one.refuse(certificate.error());
            one.certificate = std::move(*certificate);
        });
        auto stored = desk_.store().write([&](store::Tx& tx) -> Result<> {
            for (const Work* one : accepted) {
                if (!one->certificate) continue;
                auto done = registry::StoreLedger::complete_in(tx, *one->certificate, now);
                if (!done) return done;
            }
            return {};
        });
        if (!stored) return stored;
        for (Work* one : accepted) {
            if (one->certificate) one->status = Status::Signed;
        }
        return {};
    }

    Result<> write(Work& one) {
        if (!one.certificate || one.is_written || one.status == Status::Refused) return {};
        return put_file(one.item->out, desk_.ca().chain_pem(*one.certificate));
    }

    Result<> report(const std::vector<Work>& work) {
        for (const auto& one : work) {
            if (one.status == Status::Open) continue;  // later
            const bool is_refused = one.status == Status::Refused;
            (is_refused                     ? outcome_.refused
             : one.status == Status::Signed ? outcome_.is_signed
                                            : outcome_.was_signed)++;
            report_ << csv_field(one.item->csr.string()) << ','
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
    const BatchOptions& options_;
    std::string requester_;
    unsigned threads_ = 1;
    std::ofstream report_;
    BatchOutcome outcome_;
    std::size_t total_ = 0;
    std::chrono::steady_clock::time_point started_;
};

Result<std::vector<BatchItem>> read_manifest(const fs::path& manifest, const fs::path& out_folder) {
    auto text = read_file(manifest, kMaxManifest);
    if (!text) return std::move(text).error();
    std::vector<BatchItem> items;
    std::istringstream lines(*text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
            line.pop_back();
        if (line.empty() || (number == 1 && (line == "csr" || line == "csr,out"))) continue;
        const auto comma = line.find(',');
        const std::string csr = line.substr(0, comma);
        const std::string out = comma == std::string::npos ? "" : line.substr(comma + 1);
        if (csr.empty() || line.find('"') != std::string::npos ||
            out.find(',') != std::string::npos) {
            return fail(Code::InvalidRequest,
                        "expected \"csr\" or \"csr,out\" without quotes",
                        manifest.string() + ":" + std::to_string(number));
        }
        const fs::path file = manifest.parent_path() / csr;
        const fs::path name = out.empty() ? fs::path(file.stem().string() + ".crt") : fs::path(out);
        items.push_back({file, out_folder / name});
    }
    return items;
}

Result<std::vector<BatchItem>> read_folder(const fs::path& folder, const fs::path& out_folder) {
    std::vector<BatchItem> items;
    std::error_code problem;
    fs::directory_iterator files(folder, problem);
    if (problem) return file_error("read", folder, problem.value());
    for (const auto& entry : files) {
        const auto extension = entry.path().extension();
        if (extension != ".csr" && extension != ".pem" && extension != ".der") continue;
        items.push_back({entry.path(), out_folder / (entry.path().stem().string() + ".crt")});
    }
    std::ranges::sort(items, {}, &BatchItem::csr);
    return items;
}

}  // namespace

Result<std::vector<BatchItem>> read_batch(const fs::path& source, const fs::path& out_folder) {
    std::error_code ignored;
    auto items = fs::is_directory(source, ignored) ? read_folder(source, out_folder)
                                                   : read_manifest(source, out_folder);
    if (!items) return items;
    std::set<fs::path> outs;
    for (const auto& item : *items) {
        if (outs.insert(item.out).second) continue;
        return fail(Code::InvalidRequest,
                    "two requests would be written to " + item.out.string(),
                    source.string());
    }
    return items;
}

Result<BatchOutcome> sign_batch(OfflineIssuer& desk,
                                const ca::Profile& profile,
                                const std::vector<BatchItem>& items,
                                const BatchOptions& options) {
    return Batch(desk, profile, options).run(items);
}

}  // namespace hatchery::command
