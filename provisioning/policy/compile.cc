#include "provisioning/policy/document.h"
#include "provisioning/policy/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace hatchery::policy {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxCharacters = 2048;  // AWS IoT quotas, "not counting white space"
constexpr std::size_t kMaxRawBytes = 404600;  // service model, PolicyDocument
constexpr std::string_view kOldVersion = "2008-10-17";
constexpr std::string_view kVersion = "2012-10-17";

constexpr std::array<std::string_view, 7> kStatementElements{
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"};

Error malformed(std::string message, std::string where) {
    return fail(Code::MalformedPolicy, std::move(message), std::move(where));
}

/// RFC 6901.
std::string pointer_to(std::string_view parent, std::string_view key) {
    std::string pointer(parent);
    pointer += '/';
    for (char c : key) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer;
}

std::string found(const Json& value) {
    if (value.is_string()) return ", found " + quote(value.get_ref<const std::string&>());
    if (value.is_structured()) return value.is_array() ? ", found a list" : ", found an object";
    return ", found " + value.dump();
}

std::string position_of(std::string_view text, std::size_t byte) {
    const auto before = text.substr(0, std::min(byte, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto newline = before.rfind('\n');
    const auto start = newline == std::string_view::npos ? 0 : newline + 1;
    return std::to_string(line) + ":" + std::to_string(count_characters(before.substr(start)) + 1);
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

Result<> check_size(std::string_view text) {
    const auto spaces = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_space));
    const auto characters = count_characters(text) - spaces;
    if (characters > kMaxCharacters || text.size() > kMaxRawBytes) {
        return malformed("expected at most " + std::to_string(kMaxCharacters) +
                             " characters without white space, found " + std::to_string(characters),
                         "");
    }
    return {};
}

/// Sees each key of the text while it is parsed: with a repeated key a reader and the evaluation
/// could mean different values, so it is refused.
class KeyWatch {
  public:
    bool operator()(int depth, Json::parse_event_t event, Json& value) {
        const auto level = static_cast<std::size_t>(depth);
        if (event == Json::parse_event_t::object_start) {
            if (keys_.size() <= level + 1) keys_.resize(level + 2);
            keys_[level + 1].clear();
        } else if (event == Json::parse_event_t::key) {
            const auto& key = value.get_ref<const std::string&>();
            if (!keys_[level].insert(key).second && repeated_.empty()) repeated_ = key;
        }
        return true;
    }
    const std::string& repeated() const { return repeated_; }

  private:
    std::vector<std::set<std::string>> keys_;
    std::string repeated_;
};

Result<Json> parse_json(std::string_view text) {
    auto watch = std::make_shared<KeyWatch>();
    try {
        auto json = Json::parse(text.begin(), text.end(), [watch](int depth, auto event, Json& v) {
            return (*watch)(depth, event, v);
        });
        if (!watch->repeated().empty()) {
            return malformed("the key " + quote(watch->repeated()) + " is repeated", "");
        }
        return json;
    } catch (const Json::parse_error& error) {
        const std::size_t byte = error.byte > 0 ? error.byte - 1 : 0;
        return malformed("expected JSON", position_of(text, byte));
    } catch (const Json::exception&) {
        return malformed("expected JSON", "1:1");  // a number that no double holds
    }
}

struct Texts {
    std::vector<std::pair<std::string, std::string>> items;  ///< text, its JSON pointer
};

/// A string or a non-empty list of strings. With `scalars`, JSON true and 5 are read as "true" and
/// "5", as found in real Bool and Numeric conditions.
Result<Texts> read_texts(const Json& json, const std::string& where, bool scalars) {
    Texts texts;
    const auto add = [&](const Json& item, std::string at) -> Result<> {
        if (item.is_string()) {
            texts.items.emplace_back(item.get<std::string>(), std::move(at));
        } else if (scalars && (item.is_boolean() || item.is_number())) {
            texts.items.emplace_back(item.dump(), std::move(at));
        } else {
            return malformed("expected a string" + found(item), std::move(at));
        }
        return {};
    };
    if (!json.is_array()) {
        if (auto added = add(json, where); !added) return std::move(added).error();
        return texts;
    }
    if (json.empty()) return malformed("expected at least one string, found an empty list", where);
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (auto added = add(json[i], pointer_to(where, std::to_string(i))); !added) {
            return std::move(added).error();
        }
    }
    return texts;
}

bool is_action_form(std::string_view text) {
    if (text == "*") return true;
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
    const auto is_service = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    const auto is_name = [&](char c) { return is_service(c) || c == '*' || c == '?'; };
    return std::all_of(
               text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), is_service) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(colon) + 1, text.end(), is_name);
}

std::string lower(std::string_view text) {
    std::string lowered(text);
    std::transform(lowered.begin(), lowered.end(), lowered.begin(), to_lower);
    return lowered;
}

/// Which of our actions does `text` name? Without regard to case, as in IAM.
Result<std::uint16_t> read_action(std::string_view text, const std::string& where) {
    if (!is_action_form(text)) {
        return malformed("expected an action such as \"iot:Connect\", found " + quote(text), where);
    }
    Variables none;
    auto pattern = parse_pattern(lower(text), {true, false}, none);
    if (!pattern) return std::move(pattern).error();
    std::uint16_t mask = 0;
    for (std::size_t i = 0; i < kActionCount; ++i) {
        const auto action = static_cast<Action>(i);
        if (matches(*pattern, {}, lower(to_string(action)))) {
            mask = static_cast<std::uint16_t>(mask | action_bit(action));
        }
    }
    return mask;
}

/// Compiles one statement; members are called in the order of the elements' names in the guide.
class StatementCompiler {
  public:
    StatementCompiler(const Json& json, std::string where, bool substitute_variables)
        : json_(json), where_(std::move(where)), substitute_variables_(substitute_variables) {}

    Result<Statement> compile() {
        if (!json_.is_object()) return malformed("expected an object" + found(json_), where_);
        if (auto ok = check_keys(); !ok) return std::move(ok).error();
        if (auto ok = read_effect(); !ok) return std::move(ok).error();
        if (auto ok = read_actions(); !ok) return std::move(ok).error();
        if (auto ok = read_resources(); !ok) return std::move(ok).error();
        if (auto ok = read_conditions(); !ok) return std::move(ok).error();
        return std::move(statement_);
    }

  private:
    Result<> check_keys() const {
        for (const auto& [key, value] : json_.items()) {
            if (std::find(kStatementElements.begin(), kStatementElements.end(), key) ==
                kStatementElements.end()) {
                return malformed("unknown element " + quote(key), pointer_to(where_, key));
            }
        }
        return {};
    }

    Result<> read_effect() {
        if (json_.contains("Sid")) {
            if (!json_["Sid"].is_string()) {
                return malformed("expected a string" + found(json_["Sid"]), where_ + "/Sid");
            }
            statement_.sid = json_["Sid"].get<std::string>();
        }
        if (!json_.contains("Effect")) return malformed("Effect is missing", where_);
        const auto& effect = json_["Effect"];
        if (effect != "Allow" && effect != "Deny") {
            return malformed("expected \"Allow\" or \"Deny\"" + found(effect), where_ + "/Effect");
        }
        statement_.is_deny = effect == "Deny";
        return {};
    }

    /// Which of `name` and Not`name` is there? Exactly one has to be.
    Result<std::string> one_of(const std::string& name) const {
        const bool is_plain = json_.contains(name);
        if (is_plain == json_.contains("Not" + name)) {
            return malformed("expected either " + name + " or Not" + name + ", found " +
                                 (is_plain ? "both" : "neither"),
                             where_);
        }
        return is_plain ? name : "Not" + name;
    }

    Result<> read_actions() {
        auto key = one_of("Action");
        if (!key) return std::move(key).error();
        auto texts = read_texts(json_[*key], where_ + "/" + *key, false);
        if (!texts) return std::move(texts).error();
        for (const auto& [text, at] : texts->items) {
            auto mask = read_action(text, at);
            if (!mask) return std::move(mask).error();
            statement_.actions = static_cast<std::uint16_t>(statement_.actions | *mask);
        }
        statement_.is_not_action = *key == "NotAction";
        if (statement_.is_not_action) {
            statement_.actions = static_cast<std::uint16_t>(~statement_.actions);
        }
        return {};
    }

    Result<> read_resources() {
        auto key = one_of("Resource");
        if (!key) return std::move(key).error();
        statement_.is_not_resource = *key == "NotResource";
        auto texts = read_texts(json_[*key], where_ + "/" + *key, false);
        if (!texts) return std::move(texts).error();
        for (const auto& [text, at] : texts->items) {
            // What begins otherwise is no ARN and could never match.
            if (!text.starts_with("arn:") && text.find_first_of("*?$") != 0) {
                return malformed("expected an ARN or \"*\", found " + quote(text), at);
            }
            auto pattern = parse_pattern(text, {true, substitute_variables_}, statement_.variables);
            if (!pattern) return malformed(pattern.error().message, at);
            statement_.resources.push_back(split_arn(*std::move(pattern)));
            statement_.resource_texts.push_back(text);
        }
        return {};
    }

    Result<> read_conditions() {
        if (!json_.contains("Condition")) return {};
        const auto where = where_ + "/Condition";
        const auto& block = json_["Condition"];
        if (!block.is_object()) return malformed("expected an object" + found(block), where);
        for (const auto& [name, keys] : block.items()) {
            const auto at = pointer_to(where, name);
            auto op = parse_operator(name);
            if (!op) return malformed(op.error().message, at);
            if (!keys.is_object()) return malformed("expected an object" + found(keys), at);
            for (const auto& [key, values] : keys.items()) {
                auto ok = read_condition(*op, key, values, pointer_to(at, key));
                if (!ok) return std::move(ok).error();
            }
        }
        return {};
    }

    Result<> read_condition(const Operator& op,
                            const std::string& key,
                            const Json& json,
                            const std::string& where) {
        if (key.empty()) return malformed("expected the name of a condition key", where);
        auto texts = read_texts(json, where, true);
        if (!texts) return std::move(texts).error();
        Condition condition{op, KeyName(key), {}};
        for (const auto& [text, at] : texts->items) {
            auto value = parse_condition_value(
                op.comparison, text, substitute_variables_, statement_.variables);
            if (!value) return malformed(value.error().message, at);
            condition.values.push_back(*std::move(value));
        }
        statement_.conditions.push_back(std::move(condition));
        return {};
    }

    const Json& json_;
    std::string where_;
    bool substitute_variables_;
    Statement statement_;
};

/// Does the Version have policy variables? IAM takes a missing one for the old version.
Result<bool> read_version(const Json& json) {
    if (!json.contains("Version")) return false;
    const auto& version = json["Version"];
    if (version == kVersion) return true;
    if (version == kOldVersion) return false;
    return malformed("expected \"2012-10-17\" or \"2008-10-17\"" + found(version), "/Version");
}

Result<> check_document_keys(const Json& json) {
    if (!json.is_object()) return malformed("expected an object" + found(json), "");
    for (const auto& [key, value] : json.items()) {
        if (key == "Id" && !value.is_string()) {
            return malformed("expected a string" + found(value), "/Id");
        }
        if (key != "Version" && key != "Id" && key != "Statement") {
            return malformed("unknown element " + quote(key), pointer_to("", key));
        }
    }
    if (!json.contains("Statement")) return malformed("Statement is missing", "");
    return {};
}

}  // namespace

Result<Document> compile(std::string_view text) {
    if (auto ok = check_size(text); !ok) return std::move(ok).error();
    auto json = parse_json(text);
    if (!json) return std::move(json).error();
    if (auto ok = check_document_keys(*json); !ok) return std::move(ok).error();
    auto has_variables = read_version(*json);
    if (!has_variables) return std::move(has_variables).error();

    auto impl = std::make_shared<Document::Impl>();
    impl->has_variables = *has_variables;
    const auto add = [&](const Json& item, std::string where) -> Result<> {
        auto statement = StatementCompiler(item, std::move(where), *has_variables).compile();
        if (!statement) return std::move(statement).error();
        impl->statements.push_back(*std::move(statement));
        return {};
    };
    const auto& statements = (*json)["Statement"];
    if (!statements.is_array()) {
        if (auto ok = add(statements, "/Statement"); !ok) return std::move(ok).error();
        return Document(std::move(impl));
    }
    if (statements.empty()) {
        return malformed("expected at least one statement, found an empty list", "/Statement");
    }
    for (std::size_t i = 0; i < statements.size(); ++i) {
        auto ok = add(statements[i], "/Statement/" + std::to_string(i));
        if (!ok) return std::move(ok).error();
    }
    return Document(std::move(impl));
}

}  // namespace hatchery::policy
