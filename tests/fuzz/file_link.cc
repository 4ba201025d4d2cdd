// The target and the Range header of a download, a line each: no link but ours opens, and a range
// that is read lies inside of the file.
#include "provisioning/enroll/files.h"
#include "provisioning/files/presign.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto line = text.substr(0, text.find('\n'));
    const auto header = text.substr(std::min(line.size() + 1, text.size()));
    const auto path = line.substr(0, line.find('?'));
    files::PresignedGet request;
    request.host = "plant.example";
    request.path = path;
    const auto query = line.substr(std::min(path.size() + 1, line.size()));
    // A secret that nobody knows: whoever gets in has found a way around it.
    static const Secret secret = Secret::copy_of(bytes_of("f5a3-not-in-the-corpus"));
    if (files::check_presigned(request, query, secret, Time{})) std::abort();
    for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
        const auto range = enroll::read_range(header, length);
        if (!range || !*range) continue;
        if ((*range)->first > (*range)->last || (*range)->last >= length) std::abort();
    }
    return 0;
}
