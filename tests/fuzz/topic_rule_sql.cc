// The first line is a rule's SQL and a substitution, the rest a payload: what is wrong has a place
// inside the line; what a statement makes is its payload or a JSON object.
#include "provisioning/topic_rules/statement.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace hatchery;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view sql = text.substr(0, end);
    const std::string_view payload = text.substr(std::min(end + 1, text.size()));
    const topic_rules::Message message(
        "plant/line1/audit", bytes_of(payload), "device-1", "cafe01", topic_rules::Moment{});
    const auto statement = topic_rules::Statement::parse(sql);
    if (!statement && !statement.error().where.starts_with("1:")) std::abort();
    if (statement) {
        const auto made = statement->evaluate(message);
        if (made && !topic_rules::filter_covers(statement->filter(), message.topic())) std::abort();
        if (made && *made != payload && (made->front() != '{' || made->back() != '}')) std::abort();
    }
    const auto substitution = topic_rules::Substitution::parse(sql);
    if (substitution && sql.find("${") == std::string_view::npos &&
        substitution->expand(message) != sql)
        std::abort();
    if (substitution) (void)substitution->expand(message);
    return 0;
}
