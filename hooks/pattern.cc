#include "hooks/pattern.h"

#include <optional>
#include <string>

namespace hatchery::hooks {

namespace {

constexpr std::size_t kMaxSteps = 2000;
constexpr int kMaxDepth = 50;
constexpr int kMaxRepeat = 256;

using Steps = std::vector<Pattern::Step>;
using Bytes256 = std::bitset<256>;

std::size_t index_of(char c) {
    return static_cast<unsigned char>(c);
}

Bytes256 range(char from, char to) {
    Bytes256 bytes;
    for (std::size_t i = index_of(from); i <= index_of(to); ++i)
        bytes.set(i);
    return bytes;
}

/// What \d, \w, \s and an escaped character stand for.
std::optional<Bytes256> escaped(char c) {
    const Bytes256 digits = range('0', '9');
    switch (c) {
        case 'd':
            return digits;
        case 'w':
            return digits | range('a', 'z') | range('A', 'Z') | range('_', '_');
        case 's':
            return range(' ', ' ') | range('\t', '\r');
        default:
            break;
    }
    const bool is_letter = (range('a', 'z') | range('A', 'Z') | digits)[index_of(c)];
    if (is_letter) return std::nullopt;
    return range(c, c);
}

/// Recursive descent; a part is a piece of program with addresses relative to its start, so that
/// it can be repeated by copying.
class Compiler {
  public:
    explicit Compiler(std::string_view text) : text_(text) {}

    Result<Steps> whole() {
        Steps steps = alternatives(0);
        if (!error_ && at_ < text_.size()) stop("expected nothing more, found )");
        if (error_) return *error_;
        steps.push_back({});
        return steps;
    }

  private:
    void stop(std::string message) {
        if (!error_) error_ = fail(Code::InvalidRequest, std::move(message), std::to_string(at_));
    }
    bool has(char c) const { return at_ < text_.size() && text_[at_] == c; }

    static void append(Steps& to, const Steps& part) {
        const std::size_t base = to.size();
        for (auto step : part) {
            step.next += base;
            step.other += base;
            to.push_back(step);
        }
    }
    bool fits(const Steps& steps) {
        if (steps.size() <= kMaxSteps) return true;
        stop("the expression is too large");
        return false;
    }

    Steps alternatives(int depth) {
        Steps left = sequence(depth);
        while (!error_ && has('|')) {
            ++at_;
            const Steps right = sequence(depth);
            Steps both;
            both.push_back({Pattern::Op::Split, 1, left.size() + 2});
            append(both, left);
            both.push_back({Pattern::Op::Jump, left.size() + 2 + right.size()});
            append(both, right);
            if (!fits(both)) return {};
            left = std::move(both);
        }
        return left;
    }

    Steps sequence(int depth) {
        Steps steps;
        while (!error_ && at_ < text_.size() && !has('|') && !has(')')) {
            Steps part = repeated(atom(depth));
            append(steps, part);
            if (!fits(steps)) return {};
        }
        return steps;
    }

    Steps atom(int depth) {
        const char c = text_[at_];
        if (c == '(') {
            if (depth == kMaxDepth) return stop("too many parentheses in each other"), Steps{};
            ++at_;
            Steps inside = alternatives(depth + 1);
            if (!error_ && !has(')')) stop("expected )");
            ++at_;
            return inside;
        }
        if (c == '*' || c == '+' || c == '?' || c == '{') {
            return stop(std::string("nothing to repeat before ") + c), Steps{};
        }
        if (c == '^' || c == '$') {
            return stop("the whole text has to match: leave out ^ and $"), Steps{};
        }
        Bytes256 bytes;
        if (c == '[') {
            bytes = bracket();
        } else if (c == '\\') {
            bytes = escape();
        } else {
            bytes = c == '.' ? ~Bytes256{} : range(c, c);
            ++at_;
        }
        return {{Pattern::Op::Bytes, 0, 0, bytes}};
    }

    Bytes256 escape() {
        if (at_ + 1 >= text_.size()) return stop("expected a character after \\"), Bytes256{};
        const auto bytes = escaped(text_[at_ + 1]);
        if (!bytes) return stop(std::string("unknown escape \\") + text_[at_ + 1]), Bytes256{};
        at_ += 2;
        return *bytes;
    }

    Bytes256 bracket() {
        ++at_;
        const bool is_negated = has('^');
        if (is_negated) ++at_;
        Bytes256 bytes;
        bool is_first = true;
        while (!error_ && (is_first || !has(']'))) {
            is_first = false;
            if (at_ >= text_.size()) return stop("expected ]"), bytes;
            if (has('\\')) {
                bytes |= escape();
                continue;
            }
            const char from = text_[at_++];
            const bool is_range = has('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
            const char to = is_range ? text_[at_ + 1] : from;
            if (is_range) at_ += 2;
            if (index_of(to) < index_of(from)) return stop("a range that runs backwards"), bytes;
            bytes |= range(from, to);
        }
        ++at_;
        return is_negated ? ~bytes : bytes;
    }

    Steps repeated(Steps part) {
        while (!error_ && at_ < text_.size()) {
            if (has('*')) {
                part = times(part, 0, std::nullopt);
            } else if (has('+')) {
                part = times(part, 1, std::nullopt);
            } else if (has('?')) {
                part = times(part, 0, 1);
            } else if (has('{')) {
                part = counted(part);
                continue;
            } else {
                break;
            }
            ++at_;
        }
        return part;
    }

    std::optional<int> number() {
        int value = 0;
        bool is_there = false;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' &&
               value <= kMaxRepeat) {
            value = value * 10 + (text_[at_++] - '0');
            is_there = true;
        }
        if (!is_there) return std::nullopt;
        return value;
    }

    Steps counted(const Steps& part) {
        ++at_;
        const auto least = number();
        std::optional<int> most = least;
        if (has(',')) {
            ++at_;
            most = number();
        }
        const bool is_good = least && has('}') && *least <= kMaxRepeat &&
                             (!most || (*most <= kMaxRepeat && *most >= *least));
        if (!is_good) return stop("expected {n}, {n,} or {n,m} of at most 256"), Steps{};
        ++at_;
        return times(part, *least, most);
    }

    /// `part` at least `least` times, at most `most` times.
    Steps times(const Steps& part, int least, std::optional<int> most) {
        Steps steps;
        for (int i = 0; i < least && fits(steps); ++i)
            append(steps, part);
        if (!most) {
            const std::size_t start = steps.size();
            steps.push_back({Pattern::Op::Split, start + 1, start + part.size() + 2});
            append(steps, part);
            steps.push_back({Pattern::Op::Jump, start});
        } else {
            for (int i = least; i < *most && fits(steps); ++i) {
                // Each optional copy may leave to behind itself: the next one leaves further.
                const std::size_t start = steps.size();
                steps.push_back({Pattern::Op::Split, start + 1, start + part.size() + 1});
                append(steps, part);
            }
        }
        return fits(steps) ? steps : Steps{};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::optional<Error> error_;
};

/// The set of steps that wait for a byte, followed through splits and jumps.
class Front {
  public:
    explicit Front(std::size_t size) : seen_(size, 0) {}
    void clear() {
        ++round_;
        waiting_.clear();
    }
    void add(const Steps& steps, std::size_t first) {
        todo_.assign(1, first);
        while (!todo_.empty()) {
            const std::size_t at = todo_.back();
            todo_.pop_back();
            if (seen_[at] == round_) continue;
            seen_[at] = round_;
            const auto& step = steps[at];
            if (step.op == Pattern::Op::Split) todo_.push_back(step.other);
            if (step.op == Pattern::Op::Split || step.op == Pattern::Op::Jump) {
                todo_.push_back(step.next);
            } else {
                waiting_.push_back(at);
            }
        }
    }
    const std::vector<std::size_t>& waiting() const { return waiting_; }

  private:
    std::vector<std::size_t> seen_;
    std::size_t round_ = 1;
    std::vector<std::size_t> waiting_;
    std::vector<std::size_t> todo_;
};

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text) {
    auto steps = Compiler(text).whole();
    if (!steps) return std::move(steps).error();
    Pattern pattern;
    pattern.steps_ = std::move(*steps);
    return pattern;
}

bool Pattern::matches(std::string_view text) const {
    Front now(steps_.size());
    Front then(steps_.size());
    now.add(steps_, 0);
    for (const char c : text) {
        then.clear();
        for (const std::size_t at : now.waiting()) {
            if (steps_[at].op == Op::Bytes && steps_[at].bytes[index_of(c)]) {
                then.add(steps_, at + 1);
            }
        }
        if (then.waiting().empty()) return false;
        std::swap(now, then);
    }
    for (const std::size_t at : now.waiting()) {
        if (steps_[at].op == Op::Match) return true;
    }
    return false;
}

}  // namespace hatchery::hooks
