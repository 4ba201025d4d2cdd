// Operators follow AWS IoT Developer Guide, "Operators" and "Data types": a comparison of what
// cannot be compared is undefined, and what is undefined is not true.
#include "provisioning/topic_rules/expression.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace hatchery::topic_rules {

namespace {

/// Deeper payloads are no JSON to us: writing them out again would take a stack as deep.
constexpr std::size_t kMaxDepth = 100;

/// Takes of a payload's JSON the members that somebody looks at, and steps over the others: a tree
/// of everything takes twice as long. An event handler of nlohmann's (json_sax).
class FieldReader {
  public:
    FieldReader(const Fields& fields, Json& root) : fields_(fields), root_(root) {}

    bool null() { return take(nullptr); }
    bool boolean(bool value) { return take(value); }
    bool number_integer(Json::number_integer_t value) { return take(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return take(value); }
    bool number_float(Json::number_float_t value, const std::string&) { return take(value); }
    bool string(std::string& value) { return take(std::move(value)); }
    bool binary(Json::binary_t&) { return false; }  // not in JSON
    bool start_object(std::size_t) {
        if (depth_ > 0) return open(Json::value_t::object);
        root_ = Json::object();
        open_[depth_++] = &root_;
        return true;
    }
    bool start_array(std::size_t) { return open(Json::value_t::array); }
    bool key(std::string& name) {
        Json* const in = open_[depth_ - 1];
        const bool is_wanted = in != nullptr && (depth_ > 1 || fields_.has(name));
        member_ = is_wanted ? &(*in)[name] : nullptr;
        return true;
    }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }

  private:
    /// Where the next value goes; null: nobody looks at it.
    Json* place() {
        Json* const in = depth_ == 0 ? nullptr : open_[depth_ - 1];
        if (in == nullptr || in->is_object()) return in == nullptr ? nullptr : member_;
        in->push_back(nullptr);
        return &in->back();
    }
    template <class T>
    bool take(T&& value) {
        if (Json* const at = place()) *at = std::forward<T>(value);
        return true;
    }
    bool open(Json::value_t type) {
        if (depth_ == kMaxDepth) return false;
        Json* const at = place();
        if (at != nullptr) *at = type;
        open_[depth_++] = at;
        return true;
    }
    bool close() {
        --depth_;
        return true;
    }

    const Fields& fields_;
    Json& root_;
    std::array<Json*, kMaxDepth> open_;  // what has begun and not ended; null: stepped over
    std::size_t depth_ = 0;              // how many of them
    Json* member_ = nullptr;             // of the innermost object, by its last key
};

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

void Fields::add_those_of(const Expression& expression) {
    if (expression.kind == Expression::Kind::Path && !has(expression.path.front())) {
        names_.push_back(expression.path.front());
    }
    for (const auto& part : expression.parts)
        add_those_of(part);
}

bool Fields::has(std::string_view name) const {
    return is_all_ || std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool Fields::covers(const Fields& others) const {
    if (is_all_ || &others == this) return true;
    return !others.is_all_ && std::all_of(others.names_.begin(),
                                          others.names_.end(),
                                          [&](const auto& name) { return has(name); });
}

namespace {

const std::shared_ptr<const Fields>& all_fields() {
    static const std::shared_ptr<const Fields> all = [] {
        auto made = std::make_shared<Fields>();
        made->add_all();
        return made;
    }();
    return all;
}

}  // namespace

struct Message::Json {
    std::shared_ptr<const Fields> fields;
    nlohmann::json value;  // an object with those members, or nothing that is JSON
};

Message::Message(std::string_view topic,
                 ByteView payload,
                 std::string_view client_id,
                 std::string_view principal,
                 Moment now)
    : topic_(topic), payload_(payload), client_id_(client_id), principal_(principal), now_(now) {}
Message::~Message() = default;

const Message::Json& Message::json(const std::shared_ptr<const Fields>& fields) const {
    if (json_ && json_->fields->covers(*fields)) return *json_;
    auto read = std::make_unique<Json>();
    read->fields = json_ ? all_fields() : fields;  // rules differ: once more, for all of them
    FieldReader reader(*read->fields, read->value);
    const auto* const text = reinterpret_cast<const char*>(payload_.data());
    if (!nlohmann::json::sax_parse(text, text + payload_.size(), &reader)) {
        read->value = nlohmann::json::value_t::discarded;
    }
    json_ = std::move(read);
    return *json_;
}

const Json* Evaluation::payload_object() const {
    const auto& value = message_.json(fields_).value;
    return value.is_object() ? &value : nullptr;
}

Value Evaluation::path_value(const Expression& expression) const {
    const Json* at = &message_.json(fields_).value;
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
