#include "provisioning/enroll/files.h"

#include "provisioning/files/links.h"

#include <algorithm>
#include <charconv>

namespace hatchery::enroll {
namespace {

/// One of kMostDownloads, given back when the body that holds it is gone.
class DownloadSlot {
  public:
    explicit DownloadSlot(std::shared_ptr<std::atomic<int>> taken)
        : taken_(std::move(taken)), number_(taken_->fetch_add(1)) {}
    ~DownloadSlot() { taken_->fetch_sub(1); }
    DownloadSlot(const DownloadSlot&) = delete;
    DownloadSlot& operator=(const DownloadSlot&) = delete;
    bool is_free() const { return number_ < FileAnswers::kMostDownloads; }

  private:
    std::shared_ptr<std::atomic<int>> taken_;
    int number_;
};

std::string_view header_of(const http::Request& request, std::string_view name) {
    const auto found =
        std::ranges::find_if(request.headers, [&](const auto& one) { return one.name == name; });
    return found == request.headers.end() ? std::string_view() : std::string_view(found->value);
}

std::optional<std::uint64_t> read_offset(std::string_view text) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

http::Response not_satisfiable(std::uint64_t size) {
    http::Response response;
    response.status = 416;
    response.headers.push_back({"Content-Range", "bytes */" + std::to_string(size)});
    response.body =
        R"({"code":"InvalidRequest","message":"the range begins behind the file's end"})";
    return response;
}

}  // namespace

bool is_file(std::string_view target) {
    return target.starts_with(files::kPathOfFiles);
}

Result<std::optional<ByteRange>> read_range(std::string_view header, std::uint64_t size) {
    using Found = std::optional<ByteRange>;
    constexpr std::string_view unit = "bytes=";
    if (!header.starts_with(unit)) return Found();
    header.remove_prefix(unit.size());
    const auto dash = header.find('-');
    if (dash == std::string_view::npos) return Found();
    const auto first = read_offset(header.substr(0, dash));
    const auto last = read_offset(header.substr(dash + 1));
    const bool ends_open = dash + 1 == header.size();
    if (dash == 0) {  // "-500": the last 500 bytes
        if (!last) return Found();
        if (*last == 0 || size == 0) return fail(Code::InvalidRequest, "an empty range", "Range");
        return Found(ByteRange{size - std::min(*last, size), size - 1});
    }
    if (!first || (!last && !ends_open) || (last && *last < *first)) return Found();
    if (*first >= size) return fail(Code::InvalidRequest, "a range behind the end", "Range");
    return Found(ByteRange{*first, last ? std::min(*last, size - 1) : size - 1});
}

Result<http::Response> FileAnswers::answer(const http::Request& request, Time now) {
    if (request.method != "GET") {
        return fail(Code::NotImplemented, "expected GET, found " + request.method);
    }
    if (links_ == nullptr) return fail(Code::NotFound, "no files are kept here");
    auto file = links_->open(request.target, now);
    if (!file) return std::move(file).error();
    auto slot = std::make_shared<DownloadSlot>(downloads_);
    if (!slot->is_free()) {
        return fail(Code::Unavailable, "too many downloads at once: try again in a moment");
    }
    const std::uint64_t size = (*file)->size();
    const std::string tag = "\"" + to_hex((*file)->record().sha256) + "\"";
    // If-Range: a download goes on only in the content that it began with (RFC 9110 13.1.5).
    const auto same = header_of(request, "if-range");
    std::optional<ByteRange> range;
    if (same.empty() || same == tag) {
        auto wanted = read_range(header_of(request, "range"), size);
        if (!wanted) return not_satisfiable(size);
        range = *wanted;
    }
    http::Response response;
    response.content_type = "application/octet-stream";
    response.headers = {{"ETag", tag}, {"Accept-Ranges", "bytes"}};
    std::uint64_t first = 0, count = size;
    if (range) {
        first = range->first;
        count = range->last - range->first + 1;
        response.status = 206;
        response.headers.push_back({"Content-Range",
                                    "bytes " + std::to_string(range->first) + "-" +
                                        std::to_string(range->last) + "/" + std::to_string(size)});
    }
    if (count == 0) return response;
    response.source = http::BodySource{
        count, [file = std::move(*file), slot, first](std::uint64_t offset, std::span<char> out) {
            return file->read(first + offset, out);
        }};
    return response;
}

}  // namespace hatchery::enroll
