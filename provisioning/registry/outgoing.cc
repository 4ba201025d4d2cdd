#include "provisioning/registry/outgoing.h"

#include "ca/digest.h"
#include "provisioning/registry/rows.h"

#include <nlohmann/json.hpp>

namespace hatchery::registry {

namespace {

using EventJson = nlohmann::ordered_json;

std::string uuid_of_hex(const std::string& hex) {
    const auto bytes = from_hex(hex);
    return bytes ? uuid_text(*bytes) : hex;
}

std::string fact(const EventJson& facts, const char* name) {
    return facts.value(name, std::string());
}

// A membership is its thing and its group: so is its identifier, which has to stay the same.
std::string membership_id(const std::string& group, const std::string& thing) {
    const auto digest = ca::sha256(bytes_of(group + thing));
    return uuid_text(ByteView(digest).first(16));
}

void add_membership(EventJson& message, const EventJson& facts, const Account& account) {
    message["groupArn"] = account.arn("thinggroup", fact(facts, "groupName"));
    message["groupId"] = uuid_of_hex(fact(facts, "groupId"));
    message["thingArn"] = account.arn("thing", fact(facts, "thingName"));
    message["thingId"] = uuid_of_hex(fact(facts, "thingId"));
    message["membershipId"] = membership_id(fact(facts, "groupId"), fact(facts, "thingId"));
}

// [[name, id], …] from the root downwards; levels that are not there are [null, ""].
EventJson ancestor_groups(const EventJson& levels, const Account& account) {
    EventJson groups = EventJson::array();
    for (const auto& level : levels) {
        if (!level.at(0).is_string()) continue;
        const auto name = level.at(0).get<std::string>();
        groups.push_back({{"groupArn", account.arn("thinggroup", name)},
                          {"groupId", uuid_of_hex(level.at(1).get<std::string>())}});
    }
    return groups;
}

void add_facts(EventJson& message, const EventJson& facts, const Account& account) {
    for (const auto& [name, value] : facts.items()) {
        if (name == "rootToParentThingGroups") {
            message[name] = ancestor_groups(value, account);
        } else if (name.ends_with("Id") && value.is_string()) {
            const auto id = value.get<std::string>();
            message[name] = id.empty() ? EventJson() : EventJson(uuid_of_hex(id));
        } else {
            message[name] = value;
        }
    }
}

// AWS IoT Developer Guide, "Registry events".
std::string event_payload(const store::Statement& row, const Account& account) {
    const std::string kind(row.text(1));
    const auto facts = EventJson::parse(row.text(6), nullptr, false);
    EventJson message;
    message["eventType"] = kind + "_EVENT";
    message["eventId"] = uuid_of_hex(std::string(row.text(5)));
    message["timestamp"] = row.integer(4);
    message["operation"] = row.text(2);
    if (kind != "THING_TYPE_ASSOCIATION") message["accountId"] = account.id;
    if (kind == "THING_GROUP_MEMBERSHIP") {
        add_membership(message, facts, account);
    } else {
        add_facts(message, facts, account);
    }
    return message.dump(-1, ' ', false, EventJson::error_handler_t::replace);
}

}  // namespace

Result<> leave_message(store::Tx& tx, std::string_view topic, std::string_view payload) {
    return tx.run(
        "INSERT INTO outgoing(kind, operation, topic, facts) VALUES('', '', ?, ?)", topic, payload);
}

Result<std::vector<OutgoingMessage>> outgoing_messages(store::Reader& reader,
                                                       const Account& account,
                                                       int most) {
    auto rows = reader.query(
        "SELECT key, kind, operation, topic, happened, event_id, facts FROM outgoing "
        "ORDER BY key LIMIT ?",
        most);
    return read_all(std::move(rows), [&](const store::Statement& row) {
        if (row.text(1).empty()) {
            return OutgoingMessage{
                row.integer(0), std::string(row.text(3)), std::string(row.text(6))};
        }
        return OutgoingMessage{
            row.integer(0), "$aws/events/" + std::string(row.text(3)), event_payload(row, account)};
    });
}

Result<bool> has_outgoing_beyond(store::Reader& reader, int count) {
    return has_row(reader.query("SELECT 1 FROM outgoing ORDER BY key LIMIT 1 OFFSET ?", count));
}

Result<> forget_outgoing(store::Tx& tx, std::int64_t key) {
    return tx.run("DELETE FROM outgoing WHERE key <= ?", key);
}

}  // namespace hatchery::registry
