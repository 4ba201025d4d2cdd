// hatchery file: files kept for devices, that job documents link to.
#include "provisioning/files/links.h"
#include "tools/hatchery/endpoints.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/file_links.h"
#include "tools/hatchery/files.h"
#include "tools/hatchery/options.h"
#include "tools/hatchery/passphrase.h"
#include "tools/hatchery/serve_lock.h"

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

namespace hatchery::command {

namespace {

struct FileOptions {
    DataOptions data;
    std::string file, name;
    int expires_seconds = 3600;
    bool is_json = false;
};

/// The store and its shelf, open.
struct FileShelf {
    explicit FileShelf(DataDirectory directory, std::unique_ptr<store::Store> opened)
        : data(std::move(directory)),
          store(std::move(opened)),
          shelf(*store, data.layout().files()) {}
    DataDirectory data;
    std::unique_ptr<store::Store> store;
    files::Shelf shelf;
};

Result<std::unique_ptr<FileShelf>> open_shelf(const FileOptions& options) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return std::make_unique<FileShelf>(std::move(*data), std::move(*store));
}

std::string kept_file_line(const registry::KeptFile& file) {
    return file.name + "\t" + std::to_string(file.size) + "\t" + to_hex(file.sha256) + "\t" +
           to_iso8601(file.created) + "\n";
}

std::string kept_file_json(const registry::KeptFile& file) {
    const nlohmann::json line = {{"name", file.name},
                                 {"size", file.size},
                                 {"sha256", to_hex(file.sha256)},
                                 {"created", to_iso8601(file.created)}};
    return line.dump() + "\n";
}

Result<> print_file(const registry::KeptFile& file, bool is_json) {
    return print(is_json ? kept_file_json(file) : kept_file_line(file));
}

/// The file to be kept; a size that is known to be too much is refused before a byte is read.
Result<Descriptor> open_input(const std::string& path, std::uint64_t max_bytes) {
    Descriptor in(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in.is_open()) return file_error("read", path, errno);
    struct stat info {};
    if (::fstat(in.get(), &info) != 0) return file_error("read", path, errno);
    if (S_ISDIR(info.st_mode)) return file_error("read", path, EISDIR);
    if (S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) > max_bytes) {
        return fail(Code::InvalidRequest,
                    path + ": expected a file of at most " + std::to_string(max_bytes) +
                        " bytes, found " + std::to_string(info.st_size) +
                        " ([files] max_megabytes of hatchery.toml)");
    }
    return in;
}

Result<> run_file_put(const FileOptions& options) {
    auto opened = open_shelf(options);
    if (!opened) return std::move(opened).error();
    const std::uint64_t max_bytes = (*opened)->data.config().files.max_megabytes << 20U;
    auto in = open_input(options.file, max_bytes);
    if (!in) return std::move(in).error();
    std::string name = options.name;
    if (name.empty() && options.file == "-") {
        return fail(Code::InvalidRequest, "expected --name for what comes by standard input");
    }
    if (name.empty()) name = std::filesystem::path(options.file).filename().string();
    auto kept = (*opened)->shelf.put(name, in->get(), max_bytes, clock_now());
    if (!kept) return std::move(kept).error();
    return print_file(*kept, options.is_json);
}

Result<> run_file_list(const FileOptions& options) {
    auto opened = open_shelf(options);
    if (!opened) return std::move(opened).error();
    registry::PageRequest request;
    for (;;) {
        auto page = (*opened)->store->read(
            [&](store::Reader& reader) { return registry::list_files(reader, request); });
        if (!page) return std::move(page).error();
        for (const auto& file : page->items) {
            if (auto printed = print_file(file, options.is_json); !printed) return printed;
        }
        if (!page->next) return {};
        request.after = *page->next;
    }
}

Result<> run_file_remove(const FileOptions& options) {
    auto opened = open_shelf(options);
    if (!opened) return std::move(opened).error();
    return (*opened)->shelf.remove(options.name);
}

Result<> run_file_link(const FileOptions& options) {
    auto opened = open_shelf(options);
    if (!opened) return std::move(opened).error();
    const DataDirectory& data = (*opened)->data;
    auto passphrase = read_passphrase(options.data.passphrase_file, PassphraseUse::Open);
    if (!passphrase) return std::move(passphrase).error();
    auto wrap = data.wrap_key(*passphrase);
    if (!wrap) return std::move(wrap).error();
    auto secret = open_link_secret(*(*opened)->store, *wrap);
    if (!secret) return std::move(secret).error();
    auto running = running_ports(data.layout());
    if (!running) return std::move(running).error();
    const Ports ports = running->value_or(configured_ports(data.config()));
    // Made for whatever name, as for a device; somebody who asks here wants to know of a typo.
    if (auto there = (*opened)->shelf.open(options.name); !there) return std::move(there).error();
    const files::Links links((*opened)->shelf,
                             link_base_url(data.config(), ports.https),
                             data.config().account.region,
                             std::move(*secret));
    auto link =
        links.make(options.name, std::chrono::seconds(options.expires_seconds), clock_now());
    if (!link) return std::move(link).error();
    return print(*link + "\n");
}

}  // namespace

void add_file_command(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("file", "Files kept for devices, that jobs link to");
    command->require_subcommand(1);
    command->footer(
        "Example:\n  hatchery file put pump-2.4.bin --name firmware/pump-2.4.bin --data demo\n\n"
        "A job document names it as\n"
        "  ${aws:iot:s3-presigned-url:https://s3.REGION.amazonaws.com/firmware/pump-2.4.bin}\n"
        "and each device that asks for the document gets a link that is good for a while.");

    auto* put = command->add_subcommand("put", "Keep a file, or put it in place of another");
    auto put_options = std::make_shared<FileOptions>();
    put->add_option("FILE", put_options->file, "The file; - reads standard input")->required();
    put->add_option("--name",
                    put_options->name,
                    "What it is called, BUCKET/KEY say (default: the file's own name)");
    put->add_flag("--json", put_options->is_json, "A line of JSON");
    add_data_option(*put, put_options->data);
    put->footer(
        "Example:\n  hatchery file put pump-2.4.bin --name firmware/pump-2.4.bin --data demo\n\n"
        "Prints name, size, SHA-256 and time. When it has returned the file is on the disk.");
    on_run(*put, exit_code, [put_options] { return run_file_put(*put_options); });

    auto* list = command->add_subcommand("list", "Name, size, SHA-256 and time of every file");
    auto list_options = std::make_shared<FileOptions>();
    list->add_flag("--json", list_options->is_json, "A line of JSON a file");
    add_data_option(*list, list_options->data);
    list->footer("Example:\n  hatchery file list --data demo");
    on_run(*list, exit_code, [list_options] { return run_file_list(*list_options); });

    auto* link = command->add_subcommand("link", "Print a link to a file, as devices get them");
    auto link_options = std::make_shared<FileOptions>();
    link->add_option("NAME", link_options->name, "What it is called")->required();
    link->add_option("--expires", link_options->expires_seconds, "Seconds that it is good for")
        ->check(CLI::Range(1, 604'800))
        ->capture_default_str();
    add_data_option(*link, link_options->data);
    add_passphrase_option(*link, link_options->data);
    link->footer(
        "Example:\n  curl --cacert demo/ca/root.crt -O \"$(hatchery file link pump.bin --data "
        "demo)\"");
    on_run(*link, exit_code, [link_options] { return run_file_link(*link_options); });

    auto* remove = command->add_subcommand("remove", "Forget a file; links to it end");
    auto remove_options = std::make_shared<FileOptions>();
    remove->add_option("NAME", remove_options->name, "What it is called")->required();
    add_data_option(*remove, remove_options->data);
    remove->footer("Example:\n  hatchery file remove firmware/pump-2.4.bin --data demo");
    on_run(*remove, exit_code, [remove_options] { return run_file_remove(*remove_options); });
}

}  // namespace hatchery::command
