// hatchery allow: the lists of serial numbers that the hook kind "allow-list" looks into.
#include "tools/hatchery/allow_csv.h"
#include "tools/hatchery/exit_code.h"
#include "tools/hatchery/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>

namespace hatchery::command {

namespace {

constexpr std::size_t kRowsAWrite = 8192;  // devices that register meanwhile wait for one of them
constexpr int kRowsARead = 4096;
constexpr std::int64_t kProgressRows = 100'000;

struct AllowOptions {
    DataOptions data;
    std::string list;
    std::vector<std::string> serial_numbers;
    std::vector<std::string> prefixes;
    std::vector<std::string> ranges;
    std::string template_name;
    std::string not_before;
    std::string not_after;
    std::string key_sha256;
    std::string file;
    bool is_blocked = false;
    bool replaces = false;
    bool is_quiet = false;
    bool is_json = false;
};

/// Runs `work` with the store of the data directory.
template <class F>
Result<> with_store(const AllowOptions& options, F work) {
    auto data = DataDirectory::open(options.data.directory);
    if (!data) return std::move(data).error();
    auto store = data->open_store();
    if (!store) return std::move(store).error();
    return work(**store);
}

Result<registry::SerialTerms> terms_of(const AllowOptions& options) {
    registry::SerialTerms terms;
    if (!options.template_name.empty()) terms.template_name = options.template_name;
    for (const auto& [text, out] : {std::pair(&options.not_before, &terms.not_before),
                                    std::pair(&options.not_after, &terms.not_after)}) {
        if (text->empty()) continue;
        auto time = parse_time(*text);
        if (!time) return std::move(time).error();
        *out = *time;
    }
    return terms;
}

Result<std::vector<registry::AllowedPattern>> patterns_of(const AllowOptions& options) {
    std::vector<registry::AllowedPattern> patterns;
    for (const auto& prefix : options.prefixes)
        patterns.push_back({prefix, "", {}});
    for (const auto& text : options.ranges) {
        auto range = registry::parse_serial_range(text);
        if (!range) return std::move(range).error();
        patterns.push_back(std::move(*range));
    }
    return patterns;
}

registry::OnExisting on_existing(const AllowOptions& options) {
    return options.replaces ? registry::OnExisting::Replace : registry::OnExisting::Skip;
}

std::string changes_text(const registry::SerialChanges& changes, std::int64_t patterns) {
    std::string text = std::to_string(changes.added) + " added";
    if (changes.existing > 0) {
        text += ", " + std::to_string(changes.existing) + " there already (--replace changes them)";
    }
    if (patterns > 0) text += ", " + std::to_string(patterns) + " prefixes and ranges";
    return text + "\n";
}

Result<> run_allow_add(const AllowOptions& options) {
    auto terms = terms_of(options);
    if (!terms) return std::move(terms).error();
    auto patterns = patterns_of(options);
    if (!patterns) return std::move(patterns).error();
    std::vector<registry::AllowedSerial> entries;
    for (const auto& serial : options.serial_numbers) {
        registry::AllowedSerial entry{serial};
        entry.terms = *terms;
        if (options.is_blocked) entry.state = registry::SerialState::Blocked;
        if (!options.key_sha256.empty()) {
            auto digest = parse_sha256(options.key_sha256);
            if (!digest) return std::move(digest).error();
            entry.key_sha256 = std::move(*digest);
        }
        entries.push_back(std::move(entry));
    }
    if (entries.empty() && patterns->empty()) {
        return fail(Code::InvalidRequest, "expected a serial number, --prefix or --range");
    }
    return with_store(options, [&](store::Store& store) -> Result<> {
        auto changes = store.write([&](store::Tx& tx) -> Result<registry::SerialChanges> {
            for (auto& pattern : *patterns) {
                pattern.terms = *terms;
                auto added = registry::add_pattern(tx, options.list, pattern);
                if (!added) return std::move(added).error();
            }
            return registry::add_serials(tx, options.list, entries, on_existing(options));
        });
        if (!changes) return std::move(changes).error();
        return print(changes_text(*changes, static_cast<std::int64_t>(patterns->size())));
    });
}

Result<> run_allow_remove(const AllowOptions& options) {
    auto patterns = patterns_of(options);
    if (!patterns) return std::move(patterns).error();
    return with_store(options, [&](store::Store& store) {
        return store.write([&](store::Tx& tx) -> Result<> {
            for (const auto& serial : options.serial_numbers) {
                auto removed = registry::remove_serial(tx, options.list, serial);
                if (!removed) return removed;
            }
            for (const auto& pattern : *patterns) {
                auto removed = registry::remove_pattern(tx, options.list, pattern);
                if (!removed) return removed;
            }
            return {};
        });
    });
}

Result<> run_allow_state(const AllowOptions& options, registry::SerialState state) {
    return with_store(options, [&](store::Store& store) {
        return store.write([&](store::Tx& tx) -> Result<> {
            for (const auto& serial : options.serial_numbers) {
                auto set = registry::set_serial_state(tx, options.list, serial, state);
                if (!set) return set;
            }
            return {};
        });
    });
}

Result<> print_lists(store::Store& store, bool is_json) {
    auto lists = store.read([](store::Reader& reader) { return registry::count_serials(reader); });
    if (!lists) return std::move(lists).error();
    auto json = nlohmann::ordered_json::array();
    std::string text;
    for (const auto& [name, counts] : *lists) {
        json.push_back({{"list", name},
                        {"unused", counts.unused},
                        {"used", counts.used},
                        {"blocked", counts.blocked},
                        {"patterns", counts.patterns}});
        text += name + "  " + std::to_string(counts.unused) + " unused, " +
                std::to_string(counts.used) + " used, " + std::to_string(counts.blocked) +
                " blocked, " + std::to_string(counts.patterns) + " prefixes and ranges\n";
    }
    return print(is_json ? json.dump(2) + "\n" : text);
}

/// Calls `use` with every entry, a page at a time: memory does not depend on the list's size.
template <class F>
Result<> for_each_entry(store::Store& store, const AllowOptions& options, F use) {
    const std::string prefix = options.prefixes.empty() ? "" : options.prefixes[0];
    std::string after;
    while (true) {
        auto page = store.read([&](store::Reader& reader) {
            return registry::list_serials(reader, options.list, after, prefix, kRowsARead);
        });
        if (!page) return std::move(page).error();
        for (const auto& entry : *page) {
            if (auto used = use(entry); !used) return used;
        }
        if (page->size() < kRowsARead) return {};
        after = page->back().serial_number;
    }
}

Result<> run_allow_list(const AllowOptions& options) {
    return with_store(options, [&](store::Store& store) -> Result<> {
        if (options.list.empty()) return print_lists(store, options.is_json);
        auto patterns = store.read(
            [&](store::Reader& reader) { return registry::list_patterns(reader, options.list); });
        if (!patterns) return std::move(patterns).error();
        for (const auto& pattern : *patterns) {
            const bool is_prefix = pattern.high.empty();
            auto printed = print((is_prefix ? "prefix  " : "range   ") + one_line(pattern.low) +
                                 (is_prefix ? "" : ".." + one_line(pattern.high)) + "\n");
            if (!printed) return printed;
        }
        return for_each_entry(store, options, [](const registry::AllowedSerial& entry) {
            std::string line(to_string(entry.state));
            line.resize(8, ' ');
            line += one_line(entry.serial_number);
            if (entry.used_by) line += "  by " + entry.used_by->hex();
            if (entry.used_at) line += " at " + to_iso8601(*entry.used_at);
            return print(line + "\n");
        });
    });
}

Result<> run_allow_export(const AllowOptions& options) {
    return with_store(options, [&](store::Store& store) -> Result<> {
        if (auto printed = print(allow_csv_header()); !printed) return printed;
        auto patterns = store.read(
            [&](store::Reader& reader) { return registry::list_patterns(reader, options.list); });
        if (!patterns) return std::move(patterns).error();
        for (const auto& pattern : *patterns) {
            if (auto printed = print(allow_csv_row(pattern)); !printed) return printed;
        }
        return for_each_entry(store, options, [](const registry::AllowedSerial& entry) {
            return print(allow_csv_row(entry));
        });
    });
}

/// Writes rows in groups, one group while the next is read.
class Import {
  public:
    Import(store::Store& store, const AllowOptions& options, std::uintmax_t file_bytes)
        : store_(store), options_(options), file_bytes_(file_bytes) {}

    Result<> add(AllowRow row, std::uintmax_t bytes_read) {
        if (auto* pattern = std::get_if<registry::AllowedPattern>(&row)) {
            ++patterns_;
            return store_.write(
                [&](store::Tx& tx) { return registry::add_pattern(tx, options_.list, *pattern); });
        }
        group_.push_back(std::get<registry::AllowedSerial>(std::move(row)));
        return group_.size() < kRowsAWrite ? Result<>() : flush(bytes_read);
    }
    Result<> finish() {
        if (auto flushed = flush(file_bytes_); !flushed) return flushed;
        return collect();
    }
    std::string summary() const { return changes_text(changes_, patterns_); }

  private:
    Result<> flush(std::uintmax_t bytes_read) {
        if (auto collected = collect(); !collected) return collected;
        report(bytes_read);
        // Neighbours in the list lie in one page of the database.
        std::sort(group_.begin(), group_.end(), [](const auto& a, const auto& b) {
            return a.serial_number < b.serial_number;
        });
        rows_ += static_cast<std::int64_t>(group_.size());
        pending_ = std::async(std::launch::async, [this, group = std::move(group_)] {
            return store_.write([&](store::Tx& tx) {
                return registry::add_serials(tx, options_.list, group, on_existing(options_));
            });
        });
        group_ = {};
        group_.reserve(kRowsAWrite);
        return {};
    }
    Result<> collect() {
        if (!pending_.valid()) return {};
        auto changes = pending_.get();
        if (!changes) return std::move(changes).error();
        changes_.added += changes->added;
        changes_.existing += changes->existing;
        return {};
    }
    void report(std::uintmax_t bytes_read) {
        if (options_.is_quiet || rows_ - reported_ < kProgressRows) return;
        reported_ = rows_;
        const auto percent = file_bytes_ == 0 ? 100 : bytes_read * 100 / file_bytes_;
        const std::string line =
            "hatchery: " + std::to_string(rows_) + " rows (" + std::to_string(percent) + " %)\n";
        std::fwrite(line.data(), 1, line.size(), stderr);
    }

    store::Store& store_;
    const AllowOptions& options_;
    std::uintmax_t file_bytes_;
    std::vector<registry::AllowedSerial> group_;
    std::future<Result<registry::SerialChanges>> pending_;
    registry::SerialChanges changes_;
    std::int64_t patterns_ = 0;
    std::int64_t rows_ = 0;
    std::int64_t reported_ = 0;
};

Result<> run_allow_import(const AllowOptions& options) {
    std::ifstream file(options.file, std::ios::binary);
    if (!file || file.peek() == std::ifstream::traits_type::eof()) {
        return fail(Code::Unavailable, "cannot read " + options.file + ", or it is empty");
    }
    if (auto checked = registry::check_list_name(options.list); !checked) return checked;
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(options.file, ignored);
    return with_store(options, [&](store::Store& store) -> Result<> {
        Import import(store, options, ignored ? 0 : bytes);
        AllowCsv csv;
        std::uintmax_t bytes_read = 0;
        for (std::string line; std::getline(file, line);) {
            bytes_read += line.size() + 1;
            auto row = csv.read(line);
            if (!row) {
                Error error = std::move(row).error();
                error.where = options.file + ": " + error.where;
                return error;
            }
            if (!*row) continue;
            if (auto added = import.add(std::move(**row), bytes_read); !added) return added;
        }
        if (auto finished = import.finish(); !finished) return finished;
        return print(import.summary());
    });
}

using Options = std::shared_ptr<AllowOptions>;

CLI::App* add_sub(CLI::App& group,
                  const char* name,
                  const char* text,
                  const Options& options,
                  bool needs_list = true) {
    auto* sub = group.add_subcommand(name, text);
    auto* list = sub->add_option("--list", options->list, "The list's name");
    if (needs_list) list->required();
    add_data_option(*sub, options->data);
    return sub;
}

void add_selection(CLI::App& sub, const Options& options) {
    sub.add_option("SERIAL", options->serial_numbers, "Serial numbers");
    sub.add_option("--prefix", options->prefixes, "Every serial number that begins so");
    sub.add_option("--range", options->ranges, "LOW..HIGH: SN-0001..SN-0999");
}

}  // namespace

void add_allow_command(CLI::App& app, int& exit_code) {
    auto* group = app.add_subcommand("allow", "Serial numbers that may register, by list");
    group->require_subcommand(1);
    group->footer("Example:\n  hatchery allow import serials.csv --list factory --data demo");
    auto options = std::make_shared<AllowOptions>();

    auto* add = add_sub(*group, "add", "Add serial numbers, prefixes or ranges", options);
    add_selection(*add, options);
    add->add_option("--template", options->template_name, "Only through this template");
    add->add_option("--not-before", options->not_before, "Only from this time on");
    add->add_option("--not-after", options->not_after, "Only until this time");
    add->add_option("--key-sha256", options->key_sha256, "Only with this public key (SPKI, hex)");
    add->add_flag("--blocked", options->is_blocked, "As blocked ones");
    add->add_flag("--replace", options->replaces, "Change those that are there, used ones too");
    add->footer("Example:\n  hatchery allow add --list factory SN-0001 SN-0002 --data demo");
    on_run(*add, exit_code, [options] { return run_allow_add(*options); });

    auto* remove = add_sub(*group, "remove", "Remove serial numbers, prefixes or ranges", options);
    add_selection(*remove, options);
    remove->footer("Example:\n  hatchery allow remove --list factory SN-0001 --data demo");
    on_run(*remove, exit_code, [options] { return run_allow_remove(*options); });

    struct State {
        const char* name;
        const char* text;
        registry::SerialState state;
    };
    for (const State& one :
         {State{"block", "Refuse serial numbers", registry::SerialState::Blocked},
          State{"reset", "Make serial numbers unused again", registry::SerialState::Unused}}) {
        auto* sub = add_sub(*group, one.name, one.text, options);
        sub->add_option("SERIAL", options->serial_numbers, "Serial numbers")->required();
        sub->footer("Example:\n  hatchery allow " + std::string(one.name) +
                    " --list factory SN-0001 --data demo");
        on_run(*sub, exit_code, [options, state = one.state] {
            return run_allow_state(*options, state);
        });
    }

    auto* list = add_sub(*group, "list", "The lists, or the entries of one", options, false);
    list->add_option("--prefix", options->prefixes, "Only those that begin so")->expected(1);
    list->add_flag("--json", options->is_json, "The lists as a JSON array");
    list->footer("Example:\n  hatchery allow list --list factory --data demo");
    on_run(*list, exit_code, [options] { return run_allow_list(*options); });

    auto* import = add_sub(*group, "import", "Add the rows of a CSV file", options);
    import->add_option("FILE", options->file, "CSV, or one serial number a line")->required();
    import->add_flag("--replace", options->replaces, "Change those that are there, used ones too");
    import->add_flag("--quiet", options->is_quiet, "No progress on stderr");
    import->footer(
        "Example:\n  hatchery allow import serials.csv --list factory --data demo\n\nColumns: "
        "serial_number,match,state,template,key_sha256,not_before,not_after,used_by,used_at;\na "
        "header may choose and order them. What was imported before a mistake stays.");
    on_run(*import, exit_code, [options] { return run_allow_import(*options); });

    auto* exported = add_sub(*group, "export", "Write a list as CSV to stdout", options);
    exported->footer("Example:\n  hatchery allow export --list factory --data demo > list.csv");
    on_run(*exported, exit_code, [options] { return run_allow_export(*options); });
}

}  // namespace hatchery::command
