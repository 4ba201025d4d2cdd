#include "provisioning/topic_rules/parser.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hatchery::topic_rules {

namespace {

using Kind = Expression::Kind;

constexpr std::size_t kMaxSqlBytes = 16'384;
constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxTopicLevels = 128;

enum class TokenKind { Name, Text, Number, Sign, End };

struct Token {
    TokenKind kind = TokenKind::End;
    std::string text{};  ///< a name as it stands, a string without quotes and escapes, a sign
    std::size_t at = 0;
    std::size_t end = 0;
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_letter(char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_word(const Token& token, std::string_view word) {
    return token.kind == TokenKind::Name &&
           std::equal(
               token.text.begin(), token.text.end(), word.begin(), word.end(), [](char a, char b) {
                   return lower(a) == lower(b);
               });
}
bool is_keyword(const Token& token) {
    static constexpr std::array<std::string_view, 7> kWords{
        "select", "from", "where", "as", "and", "or", "not"};
    return std::any_of(
        kWords.begin(), kWords.end(), [&](auto word) { return is_word(token, word); });
}

/// Thrown and caught inside this file alone: a recursive descent would else carry a Result through
/// every level.
struct SyntaxError {
    std::size_t at;
    std::string message;
};

/// How a token reads in a message.
std::string shown(const Token& token) {
    if (token.kind == TokenKind::End) return "the end";
    return token.kind == TokenKind::Text ? "'" + token.text + "'" : token.text;
}

class Lexer {
  public:
    Lexer(std::string_view text, std::size_t at) : text_(text), at_(at) {}

    Token next() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' ||
                                      text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
        Token token;
        token.at = at_;
        if (at_ < text_.size()) read(token);
        token.end = at_;
        return token;
    }

  private:
    void read(Token& token) {
        const char c = text_[at_];
        if (is_letter(c)) {
            token.kind = TokenKind::Name;
            while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_])))
                token.text += text_[at_++];
        } else if (is_digit(c)) {
            read_number(token);
        } else if (c == '\'' || c == '"') {
            read_text(token, c);
        } else {
            read_sign(token);
        }
    }

    void read_number(Token& token) {
        token.kind = TokenKind::Number;
        const auto digits = [&] {
            while (at_ < text_.size() && is_digit(text_[at_]))
                token.text += text_[at_++];
        };
        digits();
        if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
            token.text += text_[at_++];
            digits();
        }
        if (at_ < text_.size() && is_letter(text_[at_])) {
            throw SyntaxError{token.at, "expected a number such as 20 or 36.6"};
        }
    }

    /// A quote inside is doubled.
    void read_text(Token& token, char quote) {
        token.kind = TokenKind::Text;
        ++at_;
        while (true) {
            if (at_ >= text_.size()) {
                throw SyntaxError{token.at, "expected a quote at the end of this text"};
            }
            const char c = text_[at_++];
            if (c == quote) {
                if (at_ >= text_.size() || text_[at_] != quote) return;
                ++at_;
            }
            token.text += c;
        }
    }

    void read_sign(Token& token) {
        token.kind = TokenKind::Sign;
        for (const std::string_view sign : {"<>", "!=", "<=", ">="}) {
            if (!text_.substr(at_).starts_with(sign)) continue;
            token.text = sign;
            at_ += sign.size();
            return;
        }
        token.text = text_[at_++];
        if (std::string_view("*,.()=<>-;}").find(token.text[0]) != std::string_view::npos) return;
        if (text_.substr(token.at).starts_with("\xE2\x80")) {  // quotes that an editor made pretty
            throw SyntaxError{token.at, "expected a straight quote (') here"};
        }
        throw SyntaxError{token.at, "unexpected character"};
    }

    std::string_view text_;
    std::size_t at_;
};

class Parser {
  public:
    Parser(std::string_view text, std::size_t at) : text_(text), lexer_(text, at) { advance(); }

    Parsed statement() {
        Parsed parsed;
        keyword("SELECT");
        do {
            parsed.columns.push_back(column());
        } while (took_sign(","));
        keyword("FROM");
        parsed.filter = filter();
        nesting_ = 0;
        if (took_word("WHERE")) parsed.where = any();
        took_sign(";");
        if (token_.kind != TokenKind::End) {
            expected(parsed.where ? "the end, AND or OR" : "WHERE or the end");
        }
        return parsed;
    }

    Expression substituted(std::size_t& end) {
        Expression expression = any();
        if (token_.kind != TokenKind::Sign || token_.text != "}") expected("}");
        end = token_.at;
        return expression;
    }

  private:
    void advance() {
        last_end_ = token_.end;
        token_ = lexer_.next();
    }
    [[noreturn]] void expected(const std::string& what) const {
        throw SyntaxError{token_.at, "expected " + what + ", found " + shown(token_)};
    }
    bool took_sign(std::string_view sign) {
        if (token_.kind != TokenKind::Sign || token_.text != sign) return false;
        advance();
        return true;
    }
    bool took_word(std::string_view word) {
        if (!is_word(token_, word)) return false;
        advance();
        return true;
    }
    void keyword(const char* word) {
        if (!took_word(word)) expected(word);
    }
    std::string name(const char* what) {
        if (token_.kind != TokenKind::Name || is_keyword(token_)) expected(what);
        std::string text = token_.text;
        advance();
        return text;
    }

    Column column() {
        Column made;
        if (took_sign("*")) {
            made.is_star = true;
            return made;
        }
        const std::size_t begin = token_.at;
        nesting_ = 0;
        made.expression = any();
        if (took_word("AS")) {
            made.name = name("a name");
        } else if (made.expression.kind == Kind::Path) {
            made.name = made.expression.path.back();
        } else {
            made.name = text_.substr(begin, last_end_ - begin);
        }
        return made;
    }

    std::string filter() {
        const Token token = token_;
        if (token.kind != TokenKind::Text) expected("a topic filter in quotes");
        advance();
        const auto wrong = [&](const char* message) -> SyntaxError { return {token.at, message}; };
        const std::string& text = token.text;
        if (text.empty() || text.find('\0') != std::string::npos) {
            throw wrong("expected a topic filter");
        }
        if (static_cast<std::size_t>(std::count(text.begin(), text.end(), '/')) >=
            kMaxTopicLevels) {
            throw wrong("expected a topic filter of at most 128 levels");
        }
        for (std::size_t i = 0; i < text.size(); ++i) {  // MQTT 3.1.1, 4.7.1
            if (text[i] != '+' && text[i] != '#') continue;
            const bool begins = i == 0 || text[i - 1] == '/';
            const bool ends = i + 1 == text.size() || (text[i] == '+' && text[i + 1] == '/');
            if (!begins || !ends) throw wrong("+ has a level of its own, # is the last one");
        }
        return text;
    }

    Expression joined(Kind kind, Expression left, Expression right) {
        Expression made;
        made.kind = kind;
        made.parts.push_back(std::move(left));
        made.parts.push_back(std::move(right));
        return made;
    }

    Expression any() {
        enter();
        Expression left = all();
        while (took_word("OR")) {
            enter();
            left = joined(Kind::Or, std::move(left), all());
        }
        return left;
    }
    Expression all() {
        Expression left = negation();
        while (took_word("AND")) {
            enter();
            left = joined(Kind::And, std::move(left), negation());
        }
        return left;
    }
    Expression negation() {
        if (!took_word("NOT")) return comparison();
        enter();
        Expression made;
        made.kind = Kind::Not;
        made.parts.push_back(negation());
        return made;
    }
    Expression comparison() {
        struct Operator {
            std::string_view sign;
            Kind kind;
        };
        static constexpr std::array<Operator, 7> kOperators{{{"=", Kind::Equal},
                                                             {"<>", Kind::Different},
                                                             {"!=", Kind::Different},
                                                             {"<", Kind::Less},
                                                             {"<=", Kind::LessOrEqual},
                                                             {">", Kind::Greater},
                                                             {">=", Kind::GreaterOrEqual}}};
        Expression left = primary();
        if (token_.kind != TokenKind::Sign) return left;
        for (const auto& one : kOperators) {
            if (took_sign(one.sign)) return joined(one.kind, std::move(left), primary());
        }
        return left;
    }

    Expression primary() {
        if (took_sign("(")) {
            Expression inner = any();
            if (!took_sign(")")) expected(")");
            return inner;
        }
        const bool is_negative = took_sign("-");
        if (token_.kind == TokenKind::Number) return number(is_negative);
        if (is_negative) expected("a number");
        if (token_.kind == TokenKind::Text) {
            const Token token = token_;
            advance();
            return literal(token.text);
        }
        if (took_word("TRUE")) return literal(true);
        if (took_word("FALSE")) return literal(false);
        if (took_word("NULL")) return literal(nullptr);
        const Token first = token_;
        std::string text = name("a field, a function, a number or a text");
        if (took_sign("(")) return call(first);
        Expression made;
        made.kind = Kind::Path;
        made.path.push_back(std::move(text));
        while (took_sign("."))
            made.path.push_back(name("a field"));
        return made;
    }

    static Expression literal(Json value) {
        Expression made;
        made.literal = std::move(value);
        return made;
    }

    Expression number(bool is_negative) {
        const std::string text = (is_negative ? "-" : "") + token_.text;
        Json value = Json::parse(text, nullptr, false);
        if (!value.is_number()) expected("a number without zeros in front");
        advance();
        return literal(std::move(value));
    }

    /// Behind `name(`.
    Expression call(const Token& function) {
        struct Function {
            std::string_view name;
            Kind kind;
        };
        static constexpr std::array<Function, 4> kFunctions{{{"topic", Kind::Topic},
                                                             {"timestamp", Kind::Timestamp},
                                                             {"clientid", Kind::ClientId},
                                                             {"principal", Kind::Principal}}};
        for (const auto& one : kFunctions) {
            if (!is_word(function, one.name)) continue;
            Expression made;
            made.kind = one.kind;
            if (one.kind == Kind::Topic && token_.kind == TokenKind::Number) {
                made.kind = Kind::TopicPart;
                made.number = part_number();
            }
            if (!took_sign(")")) expected(")");
            return made;
        }
        throw SyntaxError{function.at,
                          "expected one of the functions topic, timestamp, clientid and "
                          "principal, found " +
                              function.text};
    }

    std::size_t part_number() {
        std::size_t value = 0;
        const std::string& text = token_.text;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool is_whole = problem == std::errc{} && end == text.data() + text.size();
        if (!is_whole || value < 1 || value > kMaxTopicLevels) expected("a number of 1 to 128");
        advance();
        return value;
    }

    /// Bounds the depth of what is built, and so of every walk over it.
    void enter() {
        if (++nesting_ > kMaxNesting) {
            throw SyntaxError{token_.at, "expected at most 64 conditions and parentheses"};
        }
    }

    std::string_view text_;
    Lexer lexer_;
    Token token_;
    std::size_t last_end_ = 0;
    int nesting_ = 0;
};

Error syntax_error(std::string_view text, const SyntaxError& error) {
    return fail(Code::InvalidRequest, error.message, place_in(text, error.at));
}

}  // namespace

std::string place_in(std::string_view text, std::size_t at) {
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const auto column = start == std::string_view::npos ? at + 1 : at - start;
    return std::to_string(line) + ":" + std::to_string(column);
}

Result<Parsed> parse_statement(std::string_view sql) {
    if (sql.size() > kMaxSqlBytes) {
        return fail(Code::InvalidRequest, "expected at most 16384 bytes", "1:1");
    }
    try {
        return Parser(sql, 0).statement();
    } catch (const SyntaxError& error) {
        return syntax_error(sql, error);
    }
}

Result<Expression> parse_substituted(std::string_view text, std::size_t begin, std::size_t& end) {
    try {
        return Parser(text, begin).substituted(end);
    } catch (const SyntaxError& error) {
        return syntax_error(text, error);
    }
}

}  // namespace hatchery::topic_rules
