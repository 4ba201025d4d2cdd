#include "provisioning/flows/jobs_context.h"

#include "provisioning/files/links.h"

namespace hatchery::flows {

namespace {

constexpr std::size_t kMaxDocumentBytes = 32768;  // JobDocument, iot 2015-05-28

}  // namespace

jobs::Context jobs_context(const Service& service) {
    jobs::Context context{service.store, service.settings.account};
    if (service.links == nullptr) return context;
    context.make_link = [links = service.links](std::string_view url,
                                                std::chrono::seconds lifetime) {
        return links->make(url, lifetime, clock_now());
    };
    context.check_file = [links = service.links](std::string_view url) -> Result<> {
        auto file = links->shelf().open(files::name_of(url));
        if (!file) return std::move(file).error();
        return {};
    };
    return context;
}

Result<std::string> read_document_source(const Service& service, const std::string& source) {
    const std::string name = files::name_of(source);
    auto document = service.links == nullptr
                        ? Result<std::string>(fail(Code::NotFound, "no files are kept here"))
                        : service.links->shelf().read(name, kMaxDocumentBytes);
    if (document || document.error().code == Code::Unavailable) return document;
    return fail(Code::InvalidRequest,
                "expected a kept file (hatchery file put), found '" + source +
                    "': " + document.error().message,
                "/documentSource");
}

}  // namespace hatchery::flows
