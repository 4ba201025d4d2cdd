#include "provisioning/gateway/mqtt_properties.h"

#include "provisioning/gateway/mqtt_wire.h"

#include <algorithm>
#include <array>

namespace hatchery::gateway::mqtt {
namespace {

enum class Form : std::uint8_t { None, Byte, Two, Four, Variable, Text, Block, Pair };

constexpr std::uint16_t at_places(std::initializer_list<PropertyPlace> places) {
    std::uint16_t bits = 0;
    for (const PropertyPlace place : places)
        bits = static_cast<std::uint16_t>(bits | static_cast<std::uint16_t>(place));
    return bits;
}

struct Rule {
    Form form = Form::None;
    std::uint16_t places = 0;
    std::uint8_t most = 1;        // how often: 1, or any number
    std::uint32_t least = 0;      // smallest value of a number
    std::uint32_t largest = ~0U;  // and its largest
};
constexpr std::uint8_t kAnyNumber = 255;
constexpr std::uint8_t kUserProperty = 0x26;
constexpr std::size_t kRules = 0x2B;

// Table 2-4.
constexpr std::array<Rule, kRules> make_rules() {
    using P = PropertyPlace;
    constexpr auto kMessage = at_places({P::Publish, P::Will});
    constexpr auto kReasons = at_places({P::Connack, P::Acknowledgement, P::Disconnect});
    constexpr auto kBothConnects = at_places({P::Connect, P::Connack});
    constexpr auto kAnswer = at_places({P::Connack});
    std::array<Rule, kRules> rules{};
    rules[0x01] = {Form::Byte, kMessage, 1, 0, 1};
    rules[0x02] = {Form::Four, kMessage};
    rules[0x03] = {Form::Text, kMessage};
    rules[0x08] = {Form::Text, kMessage};
    rules[property::kCorrelationData] = {Form::Block, kMessage};
    rules[property::kSubscriptionIdentifier] = {
        Form::Variable, at_places({P::Publish, P::Subscribe}), kAnyNumber, 1};
    rules[property::kSessionExpiryInterval] = {Form::Four,
                                               at_places({P::Connect, P::Connack, P::Disconnect})};
    rules[0x12] = {Form::Text, kAnswer};
    rules[property::kServerKeepAlive] = {Form::Two, kAnswer};
    rules[property::kAuthenticationMethod] = {Form::Text, kBothConnects};
    rules[property::kAuthenticationData] = {Form::Block, kBothConnects};
    rules[0x17] = {Form::Byte, at_places({P::Connect}), 1, 0, 1};
    rules[property::kWillDelayInterval] = {Form::Four, at_places({P::Will})};
    rules[0x19] = {Form::Byte, at_places({P::Connect}), 1, 0, 1};
    rules[0x1A] = {Form::Text, kAnswer};
    rules[0x1C] = {Form::Text, at_places({P::Connack, P::Disconnect})};
    rules[0x1F] = {Form::Text, kReasons};
    rules[property::kReceiveMaximum] = {Form::Two, kBothConnects, 1, 1};
    rules[property::kTopicAliasMaximum] = {Form::Two, kBothConnects};
    rules[property::kTopicAlias] = {Form::Two, at_places({P::Publish}), 1, 1};
    rules[property::kMaximumQos] = {Form::Byte, kAnswer, 1, 0, 1};
    rules[0x25] = {Form::Byte, kAnswer, 1, 0, 1};
    rules[kUserProperty] = {Form::Pair, 0xFFFF, kAnyNumber};
    rules[property::kMaximumPacketSize] = {Form::Four, kBothConnects, 1, 1};
    for (const std::size_t id : {0x28, 0x29, 0x2A})
        rules[id] = {Form::Byte, kAnswer, 1, 0, 1};
    return rules;
}
constexpr auto kPropertyRules = make_rules();

struct Property {
    std::uint8_t id = 0;
    ByteView whole;                       // with its identifier
    std::optional<std::uint32_t> number;  // of the forms that are one
};

/// Takes the next property off `cursor`; nothing if it is malformed.
std::optional<Property> take_property(Cursor& cursor) {
    const ByteView before = cursor.rest();
    const auto id = cursor.byte();  // a variable byte integer, but all are below 128
    if (!id || *id >= kRules) return std::nullopt;
    Property taken{*id, {}, {}};
    bool is_whole = false;
    const auto number = [&](auto value) {
        is_whole = value.has_value();
        if (value) taken.number = *value;
    };
    switch (kPropertyRules[*id].form) {
        case Form::None:
            return std::nullopt;
        case Form::Byte:
            number(cursor.byte());
            break;
        case Form::Two:
            number(cursor.two_bytes());
            break;
        case Form::Four:
            number(cursor.four_bytes());
            break;
        case Form::Variable:
            number(cursor.variable());
            break;
        case Form::Text:
            is_whole = cursor.text().has_value();
            break;
        case Form::Block:
            is_whole = cursor.block().has_value();
            break;
        case Form::Pair:
            is_whole = cursor.text().has_value() && cursor.text().has_value();
            break;
    }
    if (!is_whole) return std::nullopt;
    taken.whole = before.first(before.size() - cursor.rest().size());
    return taken;
}

}  // namespace

Result<> check_properties(ByteView properties, PropertyPlace place, PacketType type) {
    std::array<bool, kRules> seen{};
    Cursor cursor(properties);
    while (!cursor.at_end()) {
        const auto one = take_property(cursor);
        if (!one) return malformed(type, "properties");
        const Rule& rule = kPropertyRules[one->id];
        // A subscription identifier may stand once in SUBSCRIBE, any number of times in PUBLISH.
        const bool once = rule.most == 1 || (one->id == property::kSubscriptionIdentifier &&
                                             place == PropertyPlace::Subscribe);
        const bool is_there = (rule.places & static_cast<std::uint16_t>(place)) != 0;
        const bool fits =
            !one->number || (*one->number >= rule.least && *one->number <= rule.largest);
        if (!is_there || !fits || (once && seen[one->id])) {
            return malformed(type, "property " + std::to_string(one->id));
        }
        seen[one->id] = true;
    }
    return {};
}

std::optional<std::uint32_t> integer_property(ByteView properties, std::uint8_t id) {
    Cursor cursor(properties);
    while (!cursor.at_end()) {
        const auto one = take_property(cursor);
        if (!one) break;
        if (one->id == id) return one->number;
    }
    return std::nullopt;
}

ByteView whole_property(ByteView properties, std::uint8_t id) {
    Cursor cursor(properties);
    while (!cursor.at_end()) {
        const auto one = take_property(cursor);
        if (!one) break;
        if (one->id == id) return one->whole;
    }
    return {};
}

Bytes without_properties(ByteView properties, std::initializer_list<std::uint8_t> ids) {
    Bytes kept;
    Cursor cursor(properties);
    while (!cursor.at_end()) {
        const auto one = take_property(cursor);
        if (!one) break;
        if (std::find(ids.begin(), ids.end(), one->id) != ids.end()) continue;
        kept.insert(kept.end(), one->whole.begin(), one->whole.end());
    }
    return kept;
}

void append_property(Bytes& properties, std::uint8_t id, std::uint8_t value) {
    properties.push_back(id);
    properties.push_back(value);
}

void append_property(Bytes& properties, std::uint8_t id, std::uint16_t value) {
    properties.push_back(id);
    properties.push_back(static_cast<std::uint8_t>(value >> 8));
    properties.push_back(static_cast<std::uint8_t>(value & 0xFF));
}

void append_property(Bytes& properties, std::uint8_t id, std::uint32_t value) {
    properties.push_back(id);
    for (int shift = 24; shift >= 0; shift -= 8)
        properties.push_back(static_cast<std::uint8_t>(value >> shift & 0xFF));
}

}  // namespace hatchery::gateway::mqtt
