// A CSV file of serial numbers: what is read and written again reads as the same.
#include "tools/hatchery/allow_csv.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace hatchery::command;

std::string text_of(const AllowRow& row) {
    return std::visit([](const auto& entry) { return allow_csv_row(entry); }, row);
}

void check_round_trip(const AllowRow& row) {
    AllowCsv again;
    std::string_view header = allow_csv_header();
    header.remove_suffix(1);
    if (const auto read = again.read(header); !read || *read) std::abort();
    std::string text = text_of(row);
    text.pop_back();
    const auto same = again.read(text);
    // Quotes double: a line at the limit may be over it when written again.
    if (!same && text.size() > 8192) return;
    if (!same || !*same || text_of(**same) != text + "\n") std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    AllowCsv csv;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto row = csv.read(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!row && row.error().where.empty()) std::abort();
        if (row && *row) check_round_trip(**row);
    }
    return 0;
}
