// An expression of a rule's SQL, and what it is for a message. Private to this box.
#pragma once

#include "provisioning/topic_rules/statement.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace hatchery::topic_rules {

using Json = nlohmann::json;

struct Expression {
    enum class Kind {
        Literal,
        Path,       ///< of names, into the payload
        Topic,      ///< topic()
        TopicPart,  ///< topic(number), from 1
        Timestamp,
        ClientId,
        Principal,
        Not,
        And,
        Or,
        Equal,
        Different,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual
    };
    Kind kind = Kind::Literal;
    Json literal{};
    std::vector<std::string> path{};
    std::size_t number = 0;
    std::vector<Expression> parts{};
};

/// The members of a payload that expressions look at, by their names at the top.
class Fields {
  public:
    void add_all() { is_all_ = true; }
    void add_those_of(const Expression& expression);
    bool has(std::string_view name) const;
    bool covers(const Fields& others) const;

  private:
    bool is_all_ = false;
    std::vector<std::string> names_;  // a handful: found faster one by one than by a hash
};

/// A value, or none: "Undefined" of the AWS IoT SQL reference. Points into the payload where it
/// can.
class Value {
  public:
    Value() = default;
    static Value found(const Json& json) {
        Value value;
        value.found_ = &json;
        return value;
    }
    static Value made(Json json) {
        Value value;
        value.made_ = std::move(json);
        value.is_made_ = true;
        return value;
    }
    const Json* get() const { return is_made_ ? &made_ : found_; }

  private:
    const Json* found_ = nullptr;
    Json made_{};
    bool is_made_ = false;
};

/// Evaluates expressions for one message.
class Evaluation {
  public:
    /// @param fields  what the expressions look at
    Evaluation(const Message& message, const std::shared_ptr<const Fields>& fields)
        : message_(message), fields_(fields) {}
    Value value_of(const Expression& expression) const;
    bool is_true(const Expression& expression) const;
    /// The payload, if it is a JSON object.
    const Json* payload_object() const;

  private:
    Value path_value(const Expression& expression) const;
    Value topic_part(std::size_t number) const;

    const Message& message_;
    const std::shared_ptr<const Fields>& fields_;
};

}  // namespace hatchery::topic_rules
