// Topic rules, the pure part: what a rule's SQL says about a message, and the texts with ${…} of
// its actions. In: SQL text, messages. Out: payloads, or where the SQL is wrong. Knows no action,
// no database, no MQTT packet; no I/O. Read first: Statement, then parser.cc, expression.cc.
#pragma once

#include "ca/base/bytes.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hatchery::topic_rules {

class Fields;

/// clientid() of what no MQTT client published, as AWS has it.
inline constexpr std::string_view kNoClientId = "n/a";

/// When a message came: milliseconds since 1970, UTC.
using Moment = std::chrono::sys_time<std::chrono::milliseconds>;

/// A message that was published, as SQL sees it. Everything it is made of must outlive it. Its
/// payload is read as JSON when the first rule asks, for the members that this one looks at, and
/// once more for all when another rule looks at others. One thread.
class Message {
  public:
    /// @param principal  the id of the publisher's certificate, or empty
    Message(std::string_view topic,
            ByteView payload,
            std::string_view client_id,
            std::string_view principal,
            Moment now);
    ~Message();
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    std::string_view topic() const { return topic_; }
    ByteView payload() const { return payload_; }
    std::string_view client_id() const { return client_id_; }
    std::string_view principal() const { return principal_; }
    Moment now() const { return now_; }

  private:
    friend class Evaluation;
    struct Json;
    const Json& json(const std::shared_ptr<const Fields>& fields) const;

    std::string_view topic_;
    ByteView payload_;
    std::string_view client_id_;
    std::string_view principal_;
    Moment now_;
    mutable std::unique_ptr<Json> json_;
};

/// Does the topic filter cover `topic` (MQTT 3.1.1, 4.7; wildcards first do not cover $…)?
bool filter_covers(std::string_view filter, std::string_view topic);

/// A rule's SQL, read: SELECT … FROM 'filter' [WHERE …], of the AWS IoT SQL reference fields,
/// literals, comparisons, AND, OR, NOT and the functions topic, timestamp, clientid and principal.
/// Thread-safe.
class Statement {
  public:
    /// @errors InvalidRequest  `where` = "line:column" inside `sql`
    static Result<Statement> parse(std::string_view sql);
    ~Statement();
    Statement(Statement&&) noexcept;
    Statement& operator=(Statement&&) noexcept;

    const std::string& filter() const;
    /// What the rule makes of `message`; nothing if FROM or WHERE leaves it out. `SELECT *` alone
    /// gives the payload byte for byte, whatever it is.
    std::optional<std::string> evaluate(const Message& message) const;

  private:
    struct Impl;
    explicit Statement(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// A text of an action with expressions in it: "${topic()}/${timestamp()}". Thread-safe.
class Substitution {
  public:
    /// @errors InvalidRequest  `where` = "line:column" inside `text`
    static Result<Substitution> parse(std::string_view text);
    ~Substitution();
    Substitution(Substitution&&) noexcept;
    Substitution& operator=(Substitution&&) noexcept;

    /// Strings as they are, other values as JSON, what is undefined as nothing.
    std::string expand(const Message& message) const;

  private:
    struct Impl;
    explicit Substitution(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace hatchery::topic_rules
