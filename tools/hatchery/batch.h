// hatchery sign --batch: many CSRs on every core, as one run that can be killed and started again.
#pragma once

#include "tools/hatchery/issuing.h"

#include <filesystem>
#include <string>
#include <vector>

namespace hatchery::command {

/// One CSR of a batch and where its certificate goes. Names, no paths: those take 1 KB an item.
struct BatchItem {
    std::string csr;
    std::string out;  ///< empty: the CSR's name with .crt
};
struct BatchItems {
    std::filesystem::path folder;  ///< where the CSRs' names begin
    std::vector<BatchItem> items;

    std::filesystem::path csr_of(const BatchItem& item) const { return folder / item.csr; }
    /// Below the folder of certificates.
    static std::filesystem::path out_of(const BatchItem& item);
};

/// The items of a folder (every *.csr, *.pem and *.der, by name) or of a manifest: a CSV with
/// "csr" or "csr,out" a line, paths relative to it, a header line or none.
/// @errors Unavailable  it cannot be read; InvalidRequest  a line of another form, two items with
/// one output
Result<BatchItems> read_batch(const std::filesystem::path& source);

struct BatchOptions {
    std::filesystem::path out_folder;  ///< for the certificates, a file each with its chain
    std::filesystem::path bundle{};    ///< or one file for all (tools/hatchery/bundle.h)
    std::filesystem::path
        report;            ///< CSV, written anew: file,status,serialNumber,certificateId,error
    unsigned threads = 0;  ///< 0: one a core
    bool shows_progress = false;  ///< a bar on standard error
};
struct BatchOutcome {
    std::size_t is_signed = 0, was_signed = 0, refused = 0;
};
/// Signs what has no certificate yet. A certificate that an earlier run signed but did not write is
/// written from the ledger, so that nothing is issued twice. A bundle is written anew. Refusals do
/// not stop the run.
/// @errors Unavailable  the store, the report or the outputs cannot be written
Result<BatchOutcome> sign_batch(OfflineIssuer& desk,
                                const ca::Profile& profile,
                                const BatchItems& items,
                                const BatchOptions& options);

}  // namespace hatchery::command
