// Operators follow AWS IoT Developer Guide, "Operators" and "Data types": a comparison of what
// cannot be compared is undefined, and what is undefined is not true.
#include "provisioning/topic_rules/expression.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace hatchery::topic_rules {

namespace {

/// Deeper payloads are no JSON to us: writing them out again would take a stack as deep.
constexpr int kMaxDepth = 100;

bool is_shallow(std::string_view text) {
    int depth = 0;
    bool is_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_string) {
            if (c == '\\') ++i;
            is_string = c != '"';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kMaxDepth) return false;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return true;
}

std::optional<double> number_of(const Json& value) {
    if (value.is_number()) return value.get<double>();
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.get_ref<const std::string&>();
    double number = 0;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
    const bool is_decimal = problem == std::errc{} && end == text.data() + text.size() &&
                            text.find_first_of("nN") == std::string::npos;  // neither nan nor inf
    return is_decimal ? std::optional(number) : std::nullopt;
}

std::optional<bool> truth_of(const Json* value) {
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    if (!value->is_string()) return std::nullopt;
    std::string text = value->get<std::string>();
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    if (text == "true") return true;
    return text == "false" ? std::optional(false) : std::nullopt;
}

std::optional<bool> are_equal(const Json& a, const Json& b) {
    if (a.is_number() != b.is_number()) {
        const auto left = number_of(a);
        const auto right = number_of(b);
        if (!left || !right) return std::nullopt;
        return *left == *right;
    }
    if (!a.is_number() && a.type() != b.type()) return std::nullopt;
    return a == b;
}

std::optional<bool> compare(Expression::Kind kind, const Json& a, const Json& b) {
    using Kind = Expression::Kind;
    if (kind == Kind::Equal || kind == Kind::Different) {
        const auto equal = are_equal(a, b);
        if (!equal) return std::nullopt;
        return *equal == (kind == Kind::Equal);
    }
    if (a.is_number_integer() && b.is_number_integer()) {  // all 64 bits of them
        if (kind == Kind::Less) return a < b;
        if (kind == Kind::LessOrEqual) return a <= b;
        return kind == Kind::Greater ? a > b : a >= b;
    }
    const auto left = number_of(a);
    const auto right = number_of(b);
    if (!left || !right) return std::nullopt;
    if (kind == Kind::Less) return *left < *right;
    if (kind == Kind::LessOrEqual) return *left <= *right;
    return kind == Kind::Greater ? *left > *right : *left >= *right;
}

Value truth_value(std::optional<bool> truth) {
    return truth ? Value::made(*truth) : Value();
}

}  // namespace

struct Message::Json {
    nlohmann::json value;
};

Message::Message(std::string_view topic,
                 ByteView payload,
                 std::string_view client_id,
                 std::string_view principal,
                 Moment now)
    : topic_(topic), payload_(payload), client_id_(client_id), principal_(principal), now_(now) {}
Message::~Message() = default;

const Message::Json& Message::json() const {
    if (json_) return *json_;
    const auto* const text = reinterpret_cast<const char*>(payload_.data());
    json_ = std::make_unique<Json>();
    json_->value = nlohmann::json::value_t::discarded;
    if (is_shallow({text, payload_.size()})) {
        json_->value = nlohmann::json::parse(text, text + payload_.size(), nullptr, false);
    }
    return *json_;
}

const Json* Evaluation::payload_object() const {
    const auto& value = message_.json().value;
    return value.is_object() ? &value : nullptr;
}

Value Evaluation::path_value(const Expression& expression) const {
    const Json* at = &message_.json().value;
    for (const auto& name : expression.path) {
        if (!at->is_object()) return {};
        const auto found = at->find(name);
        if (found == at->end()) return {};
        at = &*found;
    }
    return Value::found(*at);
}

Value Evaluation::topic_part(std::size_t number) const {
    std::string_view rest = message_.topic();
    for (std::size_t part = 1; part < number; ++part) {
        const auto slash = rest.find('/');
        if (slash == std::string_view::npos) return {};
        rest.remove_prefix(slash + 1);
    }
    return Value::made(std::string(rest.substr(0, rest.find('/'))));
}

bool Evaluation::is_true(const Expression& expression) const {
    const Value value = value_of(expression);
    return truth_of(value.get()).value_or(false);
}

Value Evaluation::value_of(const Expression& expression) const {
    using Kind = Expression::Kind;
    switch (expression.kind) {
        case Kind::Literal:
            return Value::found(expression.literal);
        case Kind::Path:
            return path_value(expression);
        case Kind::Topic:
            return Value::made(std::string(message_.topic()));
        case Kind::TopicPart:
            return topic_part(expression.number);
        case Kind::Timestamp:
            return Value::made(message_.now().time_since_epoch().count());
        case Kind::ClientId:
            return Value::made(std::string(message_.client_id()));
        case Kind::Principal:
            return Value::made(std::string(message_.principal()));
        default:
            break;
    }
    const Value left = value_of(expression.parts[0]);
    if (expression.kind == Kind::Not) {
        const auto truth = truth_of(left.get());
        return truth ? Value::made(!*truth) : Value();
    }
    const Value right = value_of(expression.parts[1]);
    if (expression.kind == Kind::And || expression.kind == Kind::Or) {
        const auto a = truth_of(left.get());
        const auto b = truth_of(right.get());
        if (!a || !b) return {};
        return Value::made(expression.kind == Kind::And ? *a && *b : *a || *b);
    }
    if (left.get() == nullptr || right.get() == nullptr) return {};
    return truth_value(compare(expression.kind, *left.get(), *right.get()));
}

}  // namespace hatchery::topic_rules
