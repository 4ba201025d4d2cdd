#include "provisioning/topic_rules/rule.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace hatchery::topic_rules {

namespace {

constexpr std::size_t kMaxActions = 10;  // AWS IoT Core quotas, "Maximum number of actions a rule"
constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kMaxHeaderName = 256;

enum class MemberUse {
    Expanded,  ///< a text with ${…}
    Kept,      ///< a text that GetTopicRule gives back and that does nothing here
    Qos,       ///< 0 or 1
    Refused,   ///< asks for something that is not there
};

/// As the service model has it (iot 2015-05-28).
struct Member {
    std::string_view name;
    MemberUse use = MemberUse::Expanded;
    bool is_needed = false;
    std::size_t longest = std::string::npos;
    std::string_view values = {};  ///< "|A|B|": one of these
};

struct KindForm {
    ActionKind kind;
    std::string_view name;
    std::vector<Member> members;
};

const std::vector<KindForm>& kind_forms() {
    constexpr std::string_view kAcls =
        "|private|public-read|public-read-write|aws-exec-read|authenticated-read|bucket-owner-read|"
        "bucket-owner-full-control|log-delivery-write|";
    constexpr std::size_t kAny = std::string::npos;
    constexpr auto kExpanded = MemberUse::Expanded;
    constexpr auto kKept = MemberUse::Kept;
    static const std::vector<KindForm> kForms{
        {ActionKind::Republish,
         "republish",
         {{"topic", kExpanded, true},
          {"roleArn", kKept, true},
          {"qos", MemberUse::Qos},
          {"headers", MemberUse::Refused}}},
        {ActionKind::Http,
         "http",
         {{"url", kExpanded, true, 2000},
          {"confirmationUrl", kKept, false, 2000},
          {"auth", MemberUse::Refused}}},
        {ActionKind::S3,
         "s3",
         {{"bucketName", kExpanded, true},
          {"key", kExpanded, true},
          {"roleArn", kKept, true},
          {"cannedAcl", kExpanded, false, kAny, kAcls}}},
        {ActionKind::CloudwatchLogs,
         "cloudwatchLogs",
         {{"logGroupName", kExpanded, true}, {"roleArn", kKept, true}}},
        {ActionKind::Sns,
         "sns",
         {{"targetArn", kExpanded, true},
          {"roleArn", kKept, true},
          {"messageFormat", kKept, false, kAny, "|RAW|JSON|"}}}};
    return kForms;
}

std::string known_kinds() {
    std::string names;
    for (const auto& form : kind_forms())
        names.append(names.empty() ? "" : ", ").append(form.name);
    return names;
}

Error rule_error(std::string message, std::string where) {
    return fail(Code::InvalidRequest, std::move(message), std::move(where));
}

/// A text with its ${…}.
Result<Substitution> substitution_at(const nlohmann::json& value, const std::string& where) {
    if (!value.is_string()) return rule_error("expected a string", where);
    auto read = Substitution::parse(value.get_ref<const std::string&>());
    if (read) return read;
    return rule_error(read.error().where + ": " + read.error().message, where);
}

Result<> check_member_value(const Member& member,
                            const nlohmann::json& value,
                            const std::string& where) {
    if (member.use == MemberUse::Refused) {
        return rule_error("expected nothing: this is not supported by this server", where);
    }
    if (member.use == MemberUse::Qos) {
        const bool is_qos = value.is_number_integer() && (value == 0 || value == 1);
        return is_qos ? Result<>() : rule_error("expected 0 or 1, found " + value.dump(), where);
    }
    if (!value.is_string()) return rule_error("expected a string", where);
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > member.longest) {
        return rule_error("expected at most " + std::to_string(member.longest) + " bytes, found " +
                              std::to_string(text.size()),
                          where);
    }
    const bool is_one =
        member.values.empty() || (text.find('|') == std::string::npos &&
                                  member.values.find("|" + text + "|") != std::string_view::npos);
    if (is_one) return {};
    return rule_error("expected one of " + std::string(member.values) + ", found " + text, where);
}

Result<> read_headers(const nlohmann::json& body,
                      const std::string& where,
                      std::map<std::string, Substitution>& texts) {
    const auto headers = body.find("headers");
    if (headers == body.end() || headers->is_null()) return {};
    const std::string here = where + "/headers";
    if (!headers->is_array() || headers->size() > kMaxHeaders) {
        return rule_error("expected a list of at most 100 headers", here);
    }
    for (std::size_t i = 0; i < headers->size(); ++i) {
        const auto& header = (*headers)[i];
        const std::string at = here + "/" + std::to_string(i);
        const bool is_pair = header.is_object() && header.contains("key") &&
                             header.contains("value") && header["key"].is_string();
        const std::string key = is_pair ? header["key"].get<std::string>() : "";
        const bool is_token = !key.empty() && key.size() <= kMaxHeaderName &&
                              std::all_of(key.begin(), key.end(), [](char c) {
                                  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                         (c >= '0' && c <= '9') || c == '-' || c == '_';
                              });
        if (!is_token) return rule_error("expected a header's key and value", at);
        auto value = substitution_at(header["value"], at + "/value");
        if (!value) return std::move(value).error();
        texts.insert_or_assign("header:" + key, std::move(*value));
    }
    return {};
}

Result<Action> read_action(const nlohmann::json& action, const std::string& where) {
    if (!action.is_object() || action.size() != 1) {
        return rule_error("expected an object with one kind of action", where);
    }
    const std::string& name = action.begin().key();
    const auto& forms = kind_forms();
    const auto form = std::find_if(
        forms.begin(), forms.end(), [&](const KindForm& one) { return one.name == name; });
    if (form == forms.end()) {
        return rule_error("expected one of " + known_kinds() + ", found " + name, where);
    }
    const nlohmann::json& body = action.begin().value();
    const std::string here = where + "/" + name;
    if (!body.is_object()) return rule_error("expected an object", here);
    std::map<std::string, Substitution> texts;
    for (const auto& member : form->members) {
        const auto value = body.find(member.name);
        const bool is_absent = value == body.end() || value->is_null() ||
                               (value->is_string() && value->get_ref<const std::string&>().empty());
        const std::string at = here + "/" + std::string(member.name);
        if (is_absent && member.is_needed) return rule_error("expected a string", at);
        if (is_absent) continue;
        if (auto good = check_member_value(member, *value, at); !good) {
            return std::move(good).error();
        }
        if (member.use != MemberUse::Expanded) continue;
        auto text = substitution_at(*value, at);
        if (!text) return std::move(text).error();
        texts.emplace(member.name, std::move(*text));
    }
    if (form->kind == ActionKind::Http) {
        if (auto read = read_headers(body, here, texts); !read) return std::move(read).error();
    }
    return Action(form->kind, std::move(texts));
}

Result<Statement> read_sql(const nlohmann::json& payload) {
    const auto sql = payload.find("sql");
    if (sql == payload.end() || !sql->is_string()) {
        return rule_error("expected a string", std::string(kSqlPointer));
    }
    auto statement = Statement::parse(sql->get_ref<const std::string&>());
    if (statement) return statement;
    Error error = std::move(statement).error();
    error.where = std::string(kSqlPointer) + " " + error.where;
    return error;
}

}  // namespace

std::string_view to_string(ActionKind kind) {
    for (const auto& form : kind_forms()) {
        if (form.kind == kind) return form.name;
    }
    return "republish";
}

Result<ActionKind> parse_action_kind(std::string_view text) {
    for (const auto& form : kind_forms()) {
        if (form.name == text) return form.kind;
    }
    return rule_error("expected one of " + known_kinds() + ", found " + std::string(text), "");
}

ResolvedAction Action::resolve(const Message& message) const {
    ResolvedAction resolved{kind_, {}};
    for (const auto& [name, text] : texts_)
        resolved.texts.emplace(name, text.expand(message));
    return resolved;
}

Result<Rule> Rule::parse(std::string_view text) {
    const auto payload = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (!payload.is_object()) return rule_error("expected a JSON object", "");
    auto statement = read_sql(payload);
    if (!statement) return std::move(statement).error();
    const auto actions = payload.find("actions");
    if (actions == payload.end() || !actions->is_array() || actions->size() > kMaxActions) {
        return rule_error("expected a list of at most 10 actions", "/actions");
    }
    Rule rule{std::move(*statement), {}, {}};
    for (std::size_t i = 0; i < actions->size(); ++i) {
        auto action = read_action((*actions)[i], "/actions/" + std::to_string(i));
        if (!action) return std::move(action).error();
        rule.actions.push_back(std::move(*action));
    }
    const auto on_error = payload.find("errorAction");
    if (on_error != payload.end() && !on_error->is_null()) {
        auto action = read_action(*on_error, "/errorAction");
        if (!action) return std::move(action).error();
        rule.error_action = std::move(*action);
    }
    return rule;
}

}  // namespace hatchery::topic_rules
