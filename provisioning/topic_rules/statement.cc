#include "provisioning/topic_rules/statement.h"

#include "provisioning/topic_rules/parser.h"

#include <algorithm>

namespace hatchery::topic_rules {

namespace {

constexpr std::size_t kMaxSubstitutionBytes = 16'384;
constexpr std::size_t kLikelyBytes = 240;  // of what SELECT makes

bool is_plain(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return c >= ' ' && c <= '~' && c != '"' && c != '\\';
    });
}

/// Appends a value as JSON. Texts and whole numbers, which most values are, without dump(), which
/// sets out for more.
void append_json(std::string& text, const Json& value) {
    if (value.is_string() && is_plain(value.get_ref<const std::string&>())) {
        text.append(1, '"').append(value.get_ref<const std::string&>()).append(1, '"');
    } else if (value.is_number_unsigned()) {
        text += std::to_string(value.get<std::uint64_t>());
    } else if (value.is_number_integer()) {
        text += std::to_string(value.get<std::int64_t>());
    } else {
        // A topic or a client id may hold what is no UTF-8.
        text += value.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
}
std::string json_text(const Json& value) {
    std::string text;
    append_json(text, value);
    return text;
}

}  // namespace

bool filter_covers(std::string_view filter, std::string_view topic) {
    // MQTT 3.1.1, 4.7.2: no wildcard stands for the service's own topics.
    if (topic.starts_with('$') && !filter.starts_with('$')) return false;
    while (true) {
        const auto filter_end = std::min(filter.find('/'), filter.size());
        const std::string_view level = filter.substr(0, filter_end);
        if (level == "#") return true;
        const auto topic_end = std::min(topic.find('/'), topic.size());
        if (level != "+" && level != topic.substr(0, topic_end)) return false;
        const bool is_last = topic_end == topic.size();
        if (filter_end == filter.size()) return is_last;
        filter.remove_prefix(filter_end + 1);
        if (is_last) return filter == "#";  // 4.7.1.2: the parent level too
        topic.remove_prefix(topic_end + 1);
    }
}

struct Statement::Impl {
    explicit Impl(Parsed statement) : parsed(std::move(statement)) {
        auto looked_at = std::make_shared<Fields>();
        if (parsed.where) looked_at->add_those_of(*parsed.where);
        for (const auto& column : parsed.columns) {
            if (column.is_star) {
                if (parsed.columns.size() > 1) looked_at->add_all();
            } else {
                looked_at->add_those_of(column.expression);
                columns.emplace_back(json_text(column.name) + ":", &column);
            }
        }
        fields = std::move(looked_at);
        std::stable_sort(columns.begin(), columns.end(), [](const auto& a, const auto& b) {
            return a.second->name < b.second->name;
        });
    }

    /// What SELECT makes; of several columns of one name the last that is defined.
    std::string select(const Evaluation& evaluation) const {
        std::string text = "{";
        text.reserve(kLikelyBytes);
        for (auto column = columns.begin(); column != columns.end();) {
            const auto& name = column->second->name;
            Value value;
            for (; column != columns.end() && column->second->name == name; ++column) {
                Value later = evaluation.value_of(column->second->expression);
                if (later.get() != nullptr) value = std::move(later);
            }
            if (value.get() == nullptr) continue;
            if (text.size() > 1) text += ',';
            text += std::prev(column)->first;
            append_json(text, *value.get());
        }
        return text += '}';
    }

    Parsed parsed;
    std::shared_ptr<const Fields> fields;
    /// Those that are no star, by name, each with its member's beginning: "name":
    std::vector<std::pair<std::string, const Column*>> columns;
};

Statement::Statement(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Statement::~Statement() = default;
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;

Result<Statement> Statement::parse(std::string_view sql) {
    auto parsed = parse_statement(sql);
    if (!parsed) return std::move(parsed).error();
    return Statement(std::make_unique<Impl>(std::move(*parsed)));
}

const std::string& Statement::filter() const {
    return impl_->parsed.filter;
}

std::optional<std::string> Statement::evaluate(const Message& message) const {
    const Parsed& parsed = impl_->parsed;
    if (!filter_covers(parsed.filter, message.topic())) return std::nullopt;
    const Evaluation evaluation(message, impl_->fields);
    if (parsed.where && !evaluation.is_true(*parsed.where)) return std::nullopt;
    if (parsed.columns.size() == 1 && parsed.columns[0].is_star) {
        const auto payload = message.payload();
        return std::string(reinterpret_cast<const char*>(payload.data()), payload.size());
    }
    if (impl_->columns.size() == parsed.columns.size()) return impl_->select(evaluation);
    Json made = Json::object();
    for (const auto& column : parsed.columns) {
        if (column.is_star) {
            if (const Json* whole = evaluation.payload_object()) made.update(*whole);
            continue;
        }
        const Value value = evaluation.value_of(column.expression);
        if (value.get() != nullptr) made[column.name] = *value.get();
    }
    return json_text(made);
}

struct Substitution::Impl {
    struct Part {
        std::string text{};
        std::optional<Expression> expression{};
    };
    std::vector<Part> parts;
    std::shared_ptr<const Fields> fields;
};

Substitution::Substitution(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Substitution::~Substitution() = default;
Substitution::Substitution(Substitution&&) noexcept = default;
Substitution& Substitution::operator=(Substitution&&) noexcept = default;

Result<Substitution> Substitution::parse(std::string_view text) {
    if (text.size() > kMaxSubstitutionBytes) {
        return fail(Code::InvalidRequest, "expected at most 16384 bytes", "1:1");
    }
    auto made = std::make_unique<Impl>();
    auto looked_at = std::make_shared<Fields>();
    std::size_t at = 0;
    while (at < text.size()) {
        const auto open = text.find("${", at);
        if (open != at) made->parts.push_back({std::string(text.substr(at, open - at)), {}});
        if (open == std::string_view::npos) break;
        std::size_t close = 0;
        auto expression = parse_substituted(text, open + 2, close);
        if (!expression) return std::move(expression).error();
        looked_at->add_those_of(*expression);
        made->parts.push_back({{}, std::move(*expression)});
        at = close + 1;
    }
    made->fields = std::move(looked_at);
    return Substitution(std::move(made));
}

std::string Substitution::expand(const Message& message) const {
    const Evaluation evaluation(message, impl_->fields);
    std::string text;
    for (const auto& part : impl_->parts) {
        text += part.text;
        if (!part.expression) continue;
        const Value value = evaluation.value_of(*part.expression);
        const Json* const found = value.get();
        if (found == nullptr) continue;
        text += found->is_string() ? found->get<std::string>() : json_text(*found);
    }
    return text;
}

}  // namespace hatchery::topic_rules
