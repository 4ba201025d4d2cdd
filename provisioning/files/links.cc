#include "provisioning/files/links.h"

#include "ca/digest.h"
#include "provisioning/files/presign.h"

namespace hatchery::files {

namespace {

constexpr std::string_view kKeyId =
    "HATCHERY";  // the access key id in links: no key of an operator
constexpr std::string_view kHttps = "https://";

PresignedGet get_of(std::string_view base_url, std::string_view path, const std::string& region) {
    PresignedGet request;
    request.host = base_url.substr(kHttps.size());
    request.path = path;
    request.key_id = kKeyId;
    request.region = region;
    return request;
}

}  // namespace

std::string name_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return std::string(url);
    const auto rest = url.substr(scheme + 3);
    if (url.starts_with("s3://")) return std::string(rest);
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    const auto host = rest.substr(0, slash);
    auto path = rest.substr(slash);
    path = path.substr(0, path.find('?'));
    if (path.starts_with(kPathOfFiles)) return std::string(path.substr(kPathOfFiles.size()));
    // BUCKET.s3.REGION.amazonaws.com, or s3.REGION.amazonaws.com/BUCKET.
    const auto bucket = host.find(".s3");
    if (bucket != std::string_view::npos) {
        return std::string(host.substr(0, bucket)) + std::string(path);
    }
    return std::string(path.substr(1));
}

Links::Links(const Shelf& shelf, std::string base_url, std::string region, Secret secret)
    : shelf_(shelf),
      base_url_(std::move(base_url)),
      region_(std::move(region)),
      secret_(std::move(secret)) {}

void Links::set_base_url(std::string base_url) {
    const std::lock_guard lock(mutex_);
    base_url_ = std::move(base_url);
}

std::string Links::base_url() const {
    const std::lock_guard lock(mutex_);
    return base_url_;
}

Result<std::string> Links::make(std::string_view url,
                                std::chrono::seconds lifetime,
                                Time now) const {
    const std::string name = name_of(url);
    if (auto good = registry::check_file_name(name); !good) return std::move(good).error();
    const std::string base = base_url();
    if (base.empty()) return fail(Code::Unavailable, "no front serves files yet");
    PresignedGet request = get_of(base, std::string(kPathOfFiles) + name, region_);
    request.signed_at = now;
    request.lifetime = lifetime;
    return base + request.path + "?" + presigned_query(request, secret_);
}

Result<std::shared_ptr<const OpenFile>> Links::open(std::string_view target, Time now) const {
    const auto mark = target.find('?');
    const auto path = target.substr(0, mark);
    const auto query =
        mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    const std::string base = base_url();
    if (base.empty()) return fail(Code::Unavailable, "no front serves files yet");
    auto good = check_presigned(get_of(base, path, region_), query, secret_, now);
    if (!good) return std::move(good).error();
    // Signed by us, so it is kPathOfFiles and a name that was checked.
    return shelf_.open(path.substr(kPathOfFiles.size()));
}

Result<Secret> link_secret(store::Store& store,
                           const std::function<Result<Bytes>(ByteView plain)>& wrap,
                           const std::function<Result<Secret>(ByteView wrapped)>& unwrap) {
    auto kept =
        store.read([](store::Reader& reader) { return registry::find_link_secret(reader); });
    if (!kept) return std::move(kept).error();
    if (*kept) return unwrap(**kept);
    std::string text = to_hex(ca::random_bytes(32));
    const Secret made = Secret::take(text);
    auto wrapped = wrap(made.view());
    if (!wrapped) return std::move(wrapped).error();
    auto first =
        store.write([&](store::Tx& tx) { return registry::keep_link_secret(tx, *wrapped); });
    if (!first) return std::move(first).error();
    return unwrap(*first);
}

}  // namespace hatchery::files
