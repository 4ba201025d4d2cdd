// One table of hatchery.toml, read key by key.
#pragma once

#include "ca/base/error.h"

#include <toml++/toml.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hatchery::command {

/// "source:line:column", for the place that a message is about.
std::string place(std::string_view source, const toml::source_region& region);

/// "a table", "an integer": what a message says was found.
std::string_view type_name(const toml::node& node);

/// Reads one table key by key; remembers the first error and every key that was asked for, so that
/// `finish` can refuse the others.
class TableReader {
  public:
    using Check = Result<> (*)(std::string_view value);

    TableReader(const toml::table& table, std::string name, std::string_view source)
        : table_(table), name_(std::move(name)), source_(source) {}

    /// Text that `check` accepts (its message is given a place here).
    void text(std::string_view key, std::string& out, Check check = nullptr);
    /// One of a few words.
    template <class T>
    void choice(std::string_view key,
                T& out,
                std::initializer_list<std::pair<std::string_view, T>> choices);
    template <class T>
    void integer(std::string_view key, T& out, std::int64_t least, std::int64_t most) {
        if (const auto value = integer_within(key, least, most)) out = static_cast<T>(*value);
    }
    void boolean(std::string_view key, bool& out);
    void texts(std::string_view key, std::vector<std::string>& out);
    /// A table of strings.
    void text_table(std::string_view key, std::map<std::string, std::string>& out);
    void duration(std::string_view key, std::chrono::seconds& out);
    /// The table below `key`, if there.
    const toml::table* table(std::string_view key);
    /// A complaint about the value of `key`, which is there or not.
    void refuse(std::string_view key, std::string message);
    /// @errors InvalidRequest  the first thing that was wrong, or an unknown key
    Result<> finish();

  private:
    const toml::node* find(std::string_view key);
    std::optional<std::int64_t> integer_within(std::string_view key,
                                               std::int64_t least,
                                               std::int64_t most);
    void not_one_of(std::string_view key,
                    const std::vector<std::string>& known,
                    const std::string& word);
    void expected(std::string_view what, std::string_view key, const toml::node& node);
    void complain(std::string message, const toml::node& node);

    const toml::table& table_;
    std::string name_;
    std::string_view source_;
    std::vector<std::string> known_;
    std::optional<Error> error_;
};

template <class T>
void TableReader::choice(std::string_view key,
                         T& out,
                         std::initializer_list<std::pair<std::string_view, T>> choices) {
    std::string word;
    text(key, word);
    if (word.empty() && (find(key) == nullptr || error_)) return;
    std::vector<std::string> known;
    for (const auto& [spelling, value] : choices) {
        if (spelling == word) {
            out = value;
            return;
        }
        known.emplace_back(spelling);
    }
    not_one_of(key, known, word);
}

}  // namespace hatchery::command
