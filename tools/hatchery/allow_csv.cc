#include "tools/hatchery/allow_csv.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::command {

namespace {

constexpr std::array<std::string_view, 9> kColumns{"serial_number",
                                                   "match",
                                                   "state",
                                                   "template",
                                                   "key_sha256",
                                                   "not_before",
                                                   "not_after",
                                                   "used_by",
                                                   "used_at"};
constexpr std::size_t kMaxLine = 8192;

using Fields = std::array<std::string, kColumns.size()>;

Error csv_error(std::string message) {
    return fail(Code::InvalidRequest, std::move(message));
}

Result<std::vector<std::string>> split(std::string_view line) {
    std::vector<std::string> fields(1);
    bool is_quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (is_quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
            fields.back() += c;
            ++i;
        } else if (c == '"' && (is_quoted || fields.back().empty())) {
            is_quoted = !is_quoted;
        } else if (c == ',' && !is_quoted) {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (is_quoted) return csv_error("expected a quote at the end");
    if (fields.size() > kColumns.size()) return csv_error("expected at most 9 columns");
    return fields;
}

/// The last two and four digits of a date, and so on. -1: no number.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
    int value = 0;
    const auto part = text.substr(std::min(at, text.size()), digits);
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), value);
    const bool is_number = problem == std::errc{} && part.size() == digits &&
                           end == part.data() + digits && part[0] != '-';
    return is_number ? value : -1;
}

Result<> read_terms(const Fields& fields, registry::SerialTerms& terms) {
    if (!fields[3].empty()) terms.template_name = fields[3];
    for (const auto& [index, out] :
         {std::pair(5, &terms.not_before), std::pair(6, &terms.not_after)}) {
        const auto& text = fields[static_cast<std::size_t>(index)];
        if (text.empty()) continue;
        auto time = parse_time(text);
        if (!time) return std::move(time).error();
        *out = *time;
    }
    return {};
}

Result<AllowRow> pattern_row(const Fields& fields) {
    registry::AllowedPattern pattern{fields[0], "", {}};
    if (fields[1] == "range") {
        auto range = registry::parse_serial_range(fields[0]);
        if (!range) return std::move(range).error();
        pattern = std::move(*range);
    } else if (fields[1] != "prefix") {
        return csv_error("match: expected exact, prefix or range, found \"" + fields[1] + "\"");
    }
    if (auto read = read_terms(fields, pattern.terms); !read) return std::move(read).error();
    return AllowRow(std::move(pattern));
}

Result<AllowRow> serial_row(const Fields& fields) {
    registry::AllowedSerial entry{fields[0]};
    if (entry.serial_number.empty()) return csv_error("expected a serial number");
    if (!fields[2].empty()) {
        auto state = registry::parse_serial_state(fields[2]);
        if (!state) return std::move(state).error();
        entry.state = *state;
    }
    if (auto read = read_terms(fields, entry.terms); !read) return std::move(read).error();
    if (!fields[4].empty()) {
        auto digest = parse_sha256(fields[4]);
        if (!digest) return std::move(digest).error();
        entry.key_sha256 = std::move(*digest);
    }
    if (!fields[7].empty()) {
        auto id = CertificateId::parse(fields[7]);
        if (!id) return std::move(id).error();
        entry.used_by = *id;
    }
    if (!fields[8].empty()) {
        auto time = parse_time(fields[8]);
        if (!time) return std::move(time).error();
        entry.used_at = *time;
    }
    return AllowRow(std::move(entry));
}

std::string csv_field(std::string_view text) {
    if (text.find_first_of(",\"") == std::string_view::npos && !text.starts_with('#')) {
        return std::string(text);
    }
    std::string out = "\"";
    for (const char c : text)
        out.append(c == '"' ? 2 : 1, c);
    return out + "\"";
}

std::string row_text(const Fields& fields) {
    std::string row;
    for (const auto& field : fields)
        row.append(&field == fields.data() ? "" : ",").append(csv_field(field));
    return row + "\n";
}

std::string time_field(const std::optional<Time>& time) {
    return time ? to_iso8601(*time) : "";
}

}  // namespace

std::string_view allow_csv_header() {
    return "serial_number,match,state,template,key_sha256,not_before,not_after,used_by,used_at\n";
}

std::string allow_csv_row(const registry::AllowedSerial& entry) {
    return row_text({entry.serial_number,
                     "exact",
                     std::string(to_string(entry.state)),
                     entry.terms.template_name.value_or(""),
                     to_hex(entry.key_sha256),
                     time_field(entry.terms.not_before),
                     time_field(entry.terms.not_after),
                     entry.used_by ? entry.used_by->hex() : "",
                     time_field(entry.used_at)});
}

std::string allow_csv_row(const registry::AllowedPattern& pattern) {
    const bool is_prefix = pattern.high.empty();
    return row_text({is_prefix ? pattern.low : pattern.low + ".." + pattern.high,
                     is_prefix ? "prefix" : "range",
                     "",
                     pattern.terms.template_name.value_or(""),
                     "",
                     time_field(pattern.terms.not_before),
                     time_field(pattern.terms.not_after),
                     "",
                     ""});
}

Result<std::optional<AllowRow>> AllowCsv::read(std::string_view line) {
    ++line_;
    const auto placed = [&](Error error) {
        error.where = "line " + std::to_string(line_);
        return error;
    };
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) return std::optional<AllowRow>{};
    if (line.size() > kMaxLine) return placed(csv_error("expected at most 8192 characters"));
    auto values = split(line);
    if (!values) return placed(std::move(values).error());
    if (line_ == 1 && std::find(values->begin(), values->end(), kColumns[0]) != values->end()) {
        columns_.clear();
        for (const auto& name : *values) {
            const auto found = std::find(kColumns.begin(), kColumns.end(), name);
            columns_.push_back(
                found == kColumns.end() ? -1 : static_cast<int>(found - kColumns.begin()));
        }
        return std::optional<AllowRow>{};
    }
    Fields fields;
    for (std::size_t i = 0; i < values->size() && i < columns_.size(); ++i) {
        if (columns_[i] >= 0) fields[static_cast<std::size_t>(columns_[i])] = (*values)[i];
    }
    const bool is_exact = fields[1].empty() || fields[1] == "exact";
    auto row = is_exact ? serial_row(fields) : pattern_row(fields);
    if (!row) return placed(std::move(row).error());
    return std::optional<AllowRow>(std::move(*row));
}

Result<Time> parse_time(std::string_view text) {
    const auto day = std::chrono::year_month_day(
        std::chrono::year(number_at(text, 0, 4)),
        std::chrono::month(static_cast<unsigned>(number_at(text, 5, 2))),
        std::chrono::day(static_cast<unsigned>(number_at(text, 8, 2))));
    const bool is_date = text.size() >= 10 && text[4] == '-' && text[7] == '-' && day.ok() &&
                         number_at(text, 0, 4) > 0;
    if (is_date && text.size() == 10) return Time(std::chrono::sys_days(day));
    const int hour = number_at(text, 11, 2);
    const int minute = number_at(text, 14, 2);
    const int second = number_at(text, 17, 2);
    const bool is_time = is_date && text.size() == 20 && text[10] == 'T' && text[13] == ':' &&
                         text[16] == ':' && text[19] == 'Z' && hour >= 0 && hour < 24 &&
                         minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (!is_time) {
        return fail(Code::InvalidRequest,
                    "expected a time such as 2026-11-22 or 2026-11-22T19:59:35Z, found \"" +
                        std::string(text) + "\"");
    }
    return Time(std::chrono::sys_days(day)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute) + std::chrono::seconds(second);
}

Result<Bytes> parse_sha256(std::string_view text) {
    auto bytes = from_hex(text);
    if (bytes && bytes->size() == 32) return bytes;
    return fail(Code::InvalidRequest,
                "expected a SHA-256 in 64 hexadecimal digits, found \"" + std::string(text) + "\"");
}

}  // namespace hatchery::command
