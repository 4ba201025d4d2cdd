#include "hooks/rules.h"

#include "ca/base/toml_guard.h"
#include "hooks/condition.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace hatchery::hooks {

namespace {

constexpr std::size_t kMaxRulesBytes = 1U << 20U;
constexpr std::size_t kMaxFindings = 100;
constexpr int kMaxConditionDepth = 32;

struct Rule {
    std::string name;
    bool allow = false;
    std::string reason;
    std::map<std::string, std::string> overrides;
    Condition when;  ///< all of nothing: always
};

std::string quoted_text(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

/// Levenshtein's distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t up = row[j];
            row[j] =
                std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = up;
        }
    }
    return row[b.size()];
}

/// "expected one of a, b, c, found "x"", with the nearest word if there is one.
std::string expected_one_of(const std::vector<std::string_view>& known, std::string_view found) {
    std::string text = "expected one of ";
    std::string_view nearest;
    for (const auto word : known) {
        text.append(word == known.front() ? "" : ", ").append(word);
        const bool is_near = found.size() < 64 && distance(found, word) <= 1 + word.size() / 4;
        if (is_near && (nearest.empty() || distance(found, word) < distance(found, nearest))) {
            nearest = word;
        }
    }
    text += ", found " + quoted_text(found);
    if (!nearest.empty()) text += "; did you mean " + std::string(nearest) + "?";
    return text;
}

Time time_of(const toml::date& date) {
    return std::chrono::sys_days(std::chrono::year(date.year) / static_cast<unsigned>(date.month) /
                                 static_cast<unsigned>(date.day));
}

Time time_of(const toml::date_time& value) {
    auto time = time_of(value.date) + std::chrono::hours(value.time.hour) +
                std::chrono::minutes(value.time.minute) + std::chrono::seconds(value.time.second);
    if (value.offset) time -= std::chrono::minutes(value.offset->minutes);
    return time;
}

/// Reads the document; keeps every finding.
class RulesReader {
  public:
    std::vector<Rule> read(const toml::table& document) {
        std::vector<Rule> rules;
        check_table_keys(document, {"rule"});
        const toml::node* node = document.get("rule");
        if (node == nullptr) {
            complain(document, "expected at least one [[rule]]");
            return rules;
        }
        const auto* list = node->as_array();
        if (list == nullptr) {
            complain(*node, "expected [[rule]], with two brackets");
            return rules;
        }
        for (const auto& item : *list) {
            if (const auto* table = item.as_table()) {
                rules.push_back(rule(*table));
            } else {
                complain(item, "expected a table");
            }
        }
        return rules;
    }
    std::vector<RuleFinding> findings() && { return std::move(findings_); }

  private:
    using Words = std::vector<std::string_view>;

    void complain(const toml::source_region& place, std::string message) {
        if (findings_.size() < kMaxFindings) {
            findings_.push_back({place.begin.line, place.begin.column, std::move(message)});
        }
    }
    void complain(const toml::node& node, std::string message) {
        complain(node.source(), std::move(message));
    }
    void check_table_keys(const toml::table& table, const Words& known) {
        for (const auto& [key, value] : table) {
            if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
                complain(key.source(), "unknown key: " + expected_one_of(known, key.str()));
            }
        }
    }
    std::string text(const toml::node& node) {
        if (const auto* value = node.as_string()) return value->get();
        complain(node, "expected a string");
        return {};
    }

    Rule rule(const toml::table& table) {
        check_table_keys(table, {"name", "allow", "when", "override", "reason"});
        Rule out;
        if (const auto* node = table.get("name")) out.name = text(*node);
        if (const auto* node = table.get("allow"); node == nullptr) {
            complain(table, "expected allow = true or allow = false in this rule");
        } else if (const auto* value = node->as_boolean()) {
            out.allow = value->get();
        } else {
            complain(*node, "allow: expected true or false");
        }
        if (const auto* node = table.get("reason")) {
            out.reason = text(*node);
            if (out.allow) complain(*node, "reason: a rule that allows has none");
        }
        if (const auto* node = table.get("override")) overrides(*node, out);
        if (const auto* node = table.get("when")) out.when = condition(*node, 0);
        return out;
    }

    void overrides(const toml::node& node, Rule& out) {
        const auto* table = node.as_table();
        if (table == nullptr) return complain(node, "override: expected a table of strings");
        if (!out.allow) complain(node, "override: a rule that refuses has none");
        for (const auto& [key, value] : *table)
            out.overrides.emplace(key.str(), text(value));
    }

    Condition condition(const toml::node& node, int depth) {
        const auto* table = node.as_table();
        if (table == nullptr || table->empty()) {
            complain(node,
                     "expected a condition such as { parameter = \"SerialNumber\", "
                     "prefix = \"123456\" }");
            return {};
        }
        if (depth == kMaxConditionDepth) {
            complain(node, "more than 32 conditions in each other");
            return {};
        }
        for (const auto& [word, kind] : {std::pair("all", Condition::Kind::All),
                                         std::pair("any", Condition::Kind::Any),
                                         std::pair("not", Condition::Kind::Not)}) {
            if (const auto* inside = table->get(word)) {
                check_table_keys(*table, {word});
                return combination(kind, *inside, depth);
            }
        }
        return test(*table);
    }

    Condition combination(Condition::Kind kind, const toml::node& node, int depth) {
        Condition out;
        out.kind = kind;
        if (kind == Condition::Kind::Not) {
            out.parts.push_back(condition(node, depth + 1));
            return out;
        }
        const auto* list = node.as_array();
        if (list == nullptr || list->empty()) {
            complain(node, "expected an array of conditions, one at least");
            return out;
        }
        for (const auto& item : *list)
            out.parts.push_back(condition(item, depth + 1));
        return out;
    }

    Condition test(const toml::table& table) {
        static const Words kSubjects{"parameter", "certificate", "event"};
        static const Words kTests{"equals",
                                  "prefix",
                                  "suffix",
                                  "matches",
                                  "in",
                                  "at_least",
                                  "at_most",
                                  "before",
                                  "after",
                                  "present"};
        Words known = kSubjects;
        known.insert(known.end(), kTests.begin(), kTests.end());
        known.insert(known.end(), {"all", "any", "not"});
        check_table_keys(table, known);
        Condition out;
        out.kind = Condition::Kind::Test;
        bool is_time = false;
        read_subject(table, out, is_time);
        std::vector<std::function<bool(std::string_view)>> tests;
        for (const auto word : kTests) {
            const auto* node = table.get(word);
            if (node == nullptr) continue;
            check_fits(word, *node, is_time);
            tests.push_back(one_test(word, *node, out.wants_absent));
        }
        if (tests.empty()) {
            complain(table, "expected a test in this condition: " + join(kTests));
        } else if (tests.size() > 1 && out.wants_absent) {
            complain(table, "present = false leaves nothing else to test");
        }
        out.test = [tests](std::string_view value) {
            return std::all_of(
                tests.begin(), tests.end(), [&](const auto& one) { return one(value); });
        };
        return out;
    }

    static std::string join(const Words& words) {
        std::string text;
        for (const auto word : words)
            text.append(text.empty() ? "" : ", ").append(word);
        return text;
    }

    void read_subject(const toml::table& table, Condition& out, bool& is_time) {
        int subjects = 0;
        if (const auto* node = table.get("parameter")) {
            ++subjects;
            out.subject = Subject::Parameter;
            out.name = text(*node);
        }
        if (const auto* node = table.get("certificate")) {
            ++subjects;
            out.subject = Subject::Certificate;
            out.certificate_field = field(*node, certificate_fields());
            is_time = out.certificate_field->is_time;
        }
        if (const auto* node = table.get("event")) {
            ++subjects;
            out.subject = Subject::Event;
            out.event_field = field(*node, event_fields());
            is_time = out.event_field->is_time;
        }
        if (subjects != 1) {
            complain(table,
                     "expected one of parameter, certificate or event in this condition, "
                     "found " +
                         std::to_string(subjects));
        }
    }

    template <class Fields>
    auto field(const toml::node& node, const Fields& fields) -> decltype(fields.data()) {
        const std::string name = text(node);
        Words known;
        for (const auto& one : fields) {
            if (one.name == name) return &one;
            known.push_back(one.name);
        }
        if (node.is_string()) complain(node, expected_one_of(known, name));
        return fields.data();  // never used: there is a finding
    }

    void check_fits(std::string_view word, const toml::node& node, bool is_time) {
        const bool is_about_time = word == "before" || word == "after";
        if (is_about_time && !is_time) {
            complain(node,
                     std::string(word) +
                         ": only certificate = not_before, not_after and event = time are "
                         "times");
        }
        if (is_time && !is_about_time && word != "present") {
            complain(node, std::string(word) + ": a time has before, after and present only");
        }
    }

    std::function<bool(std::string_view)> one_test(std::string_view word,
                                                   const toml::node& node,
                                                   bool& wants_absent) {
        if (word == "in") return in_list(node);
        if (word == "matches") return pattern(node);
        if (word == "at_least" || word == "at_most") return number(node, word == "at_least");
        if (word == "before" || word == "after") return time(node, word == "before");
        if (word == "present") {
            const auto* value = node.as_boolean();
            if (value == nullptr) complain(node, "present: expected true or false");
            wants_absent = value != nullptr && !value->get();
            return [](std::string_view) { return true; };
        }
        std::string expected = text(node);
        if (word != "equals" && expected.empty() && node.is_string()) {
            complain(node, std::string(word) + ": an empty string would hold for everything");
        }
        if (word == "prefix") {
            return [expected](std::string_view value) { return value.starts_with(expected); };
        }
        if (word == "suffix") {
            return [expected](std::string_view value) { return value.ends_with(expected); };
        }
        return [expected](std::string_view value) { return value == expected; };
    }

    std::function<bool(std::string_view)> in_list(const toml::node& node) {
        const auto* list = node.as_array();
        if (list == nullptr) {
            complain(node, "in: expected an array of strings");
            return {};
        }
        std::set<std::string, std::less<>> words;
        for (const auto& item : *list)
            words.insert(text(item));
        return [words](std::string_view value) { return words.contains(value); };
    }

    std::function<bool(std::string_view)> pattern(const toml::node& node) {
        const std::string expression = text(node);
        auto compiled = Pattern::compile(expression);
        if (!compiled) {
            const Error& error = compiled.error();
            complain(node,
                     "matches: " + error.message + " at character " +
                         std::to_string(std::stoul(error.where) + 1) + " of " +
                         quoted_text(expression));
            return {};
        }
        return [matcher = std::move(*compiled)](std::string_view value) {
            return matcher.matches(value);
        };
    }

    std::function<bool(std::string_view)> number(const toml::node& node, bool is_least) {
        std::string text_form;
        if (const auto* value = node.as_integer()) text_form = std::to_string(value->get());
        if (const auto* value = node.as_string()) text_form = value->get();
        const auto limit = decimal(text_form);
        if (!limit) {
            complain(node, "expected a whole number, not negative");
            return {};
        }
        return [limit = std::string(*limit), is_least](std::string_view value) {
            const auto found = decimal(value);
            if (!found) return false;
            return is_least ? !is_less(*found, limit) : !is_less(limit, *found);
        };
    }

    std::function<bool(std::string_view)> time(const toml::node& node, bool is_before) {
        Time limit;
        if (const auto* day = node.as_date()) {
            limit = time_of(day->get());
        } else if (const auto* moment = node.as_date_time()) {
            limit = time_of(moment->get());
        } else {
            complain(node, "expected a date or a time such as 2030-01-01 or 2030-01-01T12:00:00Z");
            return {};
        }
        return [limit = time_text(limit), is_before](std::string_view value) {
            return is_before ? value < limit : value > limit;
        };
    }

    std::vector<RuleFinding> findings_;
};

class RulesHook : public Hook {
  public:
    explicit RulesHook(Rules rules) : rules_(std::move(rules)) {}
    Result<HookDecision> decide(const HookEvent& event, std::chrono::milliseconds) override {
        return rules_.decide(event);
    }

  private:
    Rules rules_;
};

}  // namespace

struct Rules::Impl {
    std::vector<Rule> rules;
};

Rules::Rules() : impl_(std::make_unique<Impl>()) {}
Rules::~Rules() = default;
Rules::Rules(Rules&&) noexcept = default;
Rules& Rules::operator=(Rules&&) noexcept = default;

std::vector<RuleFinding> Rules::parse(std::string_view text, Rules& rules) {
    if (text.size() > kMaxRulesBytes) return {{1, 1, "expected at most 1 MiB"}};
    if (const auto at = find_unreadable_toml(text); at) {
        return {{at->line, at->column, std::string(kReadableToml)}};
    }
    try {
        const toml::table document = toml::parse(text);
        RulesReader reader;
        auto read = reader.read(document);
        auto findings = std::move(reader).findings();
        std::stable_sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
            return std::pair(a.line, a.column) < std::pair(b.line, b.column);
        });
        if (findings.empty()) rules.impl_->rules = std::move(read);
        return findings;
    } catch (const toml::parse_error& error) {
        const auto& place = error.source().begin;
        return {{place.line, place.column, std::string(error.description())}};
    }
}

Result<HookDecision> Rules::decide(const HookEvent& event) const {
    Facts facts(event);
    for (const auto& rule : impl_->rules) {
        auto held = rule.when.holds(facts);
        if (!held) return std::move(held).error();
        if (!*held) continue;
        if (rule.allow) return HookDecision{true, rule.overrides, ""};
        std::string reason = rule.reason;
        if (reason.empty()) reason = rule.name.empty() ? "a rule refuses it" : "rule " + rule.name;
        return HookDecision{false, {}, std::move(reason)};
    }
    return HookDecision{false, {}, "no rule allows it"};
}

Result<std::unique_ptr<Hook>> make_rules(const HookConfig& config) {
    if (config.rules.empty()) {
        return fail(Code::InvalidRequest, "expected the file with the rules", "rules");
    }
    std::ifstream file(config.rules, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        return fail(Code::InvalidRequest, "can't read " + config.rules, "rules");
    }
    Rules rules;
    const auto findings = Rules::parse(text.str(), rules);
    if (!findings.empty()) {
        const auto& first = findings.front();
        return fail(Code::InvalidRequest,
                    place_in(config.rules, {first.line, first.column}) + ": " + first.message,
                    "rules");
    }
    return std::unique_ptr<Hook>(std::make_unique<RulesHook>(std::move(rules)));
}

}  // namespace hatchery::hooks
