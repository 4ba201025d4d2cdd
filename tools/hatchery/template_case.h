// One case of `hatchery template test`: a template, a device, the registry before, and what is
// expected after. The records are made by the same code as the server's, in a transaction that is
// rolled back.
#pragma once

#include "ca/certificate.h"
#include "provisioning/store/store.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace hatchery::command {

/// Runs cases, one after another, on one empty registry of its own in a temporary folder.
class CaseRunner {
  public:
    /// @errors Unavailable  no temporary folder
    static Result<std::unique_ptr<CaseRunner>> make();
    ~CaseRunner();
    CaseRunner(const CaseRunner&) = delete;
    CaseRunner& operator=(const CaseRunner&) = delete;

    /// What differs from the expectation, a line each; empty: it passed.
    /// @errors InvalidRequest  the case file itself is wrong; Unavailable  a file cannot be read
    Result<std::vector<std::string>> run(const std::filesystem::path& file);

  private:
    explicit CaseRunner(ca::Certificate stand_in) : stand_in_(std::move(stand_in)) {}
    ca::Certificate stand_in_;  ///< the device's certificate of a case that names none
    std::filesystem::path folder_;
    std::unique_ptr<store::Store> store_;
};

}  // namespace hatchery::command
