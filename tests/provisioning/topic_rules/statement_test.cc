#include "provisioning/topic_rules/statement.h"

#include <gmock/gmock.h>

namespace hatchery::topic_rules {
namespace {

constexpr Moment kNow{std::chrono::milliseconds(1'764'108'000'123)};

constexpr std::string_view kPayload =
    R"({"color":"red","temperature":50,"ratio":0.5,"on":true,"nothing":null,"level":"7",)"
    R"("place":{"room":{"name":"pool"},"floor":2},"list":[1,2]})";

struct Published {
    std::string topic = "plant/line1/audit";
    std::string payload = std::string(kPayload);
};

/// The outgoing payload, "-" for none, or "WHERE: MESSAGE" where the SQL is wrong.
std::string made_of(std::string_view sql, const Published& published = {}) {
    const auto statement = Statement::parse(sql);
    if (!statement) return to_string(statement.error());
    const Message message(published.topic, bytes_of(published.payload), "device-1", "cafe01", kNow);
    return statement->evaluate(message).value_or("-");
}

struct Case {
    const char* sql;
    const char* expected;
};

TEST(Statement, SelectsWhatItNames) {
    for (const auto& [sql, expected] : std::vector<Case>{
             // the examples of AWS IoT Developer Guide, "SELECT clause"
             {"SELECT color FROM 'plant/+/audit'", R"({"color":"red"})"},
             {"SELECT color AS my_color FROM 'plant/#'", R"({"my_color":"red"})"},
             {"SELECT color as my_color, temperature as fahrenheit FROM '#'",
              R"({"fahrenheit":50,"my_color":"red"})"},
             // nested fields, and the seed's own augmentation
             {"SELECT place.room.name FROM '#'", R"({"name":"pool"})"},
             {"select place.room as r from '#'", R"({"r":{"name":"pool"}})"},
             {"SELECT color AS msg, topic(1) AS tenant_id FROM '#'",
              R"({"msg":"red","tenant_id":"plant"})"},
             {"SELECT topic() AS t, topic(3) AS last, timestamp() AS at, clientid() AS c, "
              "principal() AS p FROM '#'",
              R"({"at":1764108000123,"c":"device-1","last":"audit","p":"cafe01",)"
              R"("t":"plant/line1/audit"})"},
             // what is not there is left out; null is there
             {"SELECT gone, place.gone, color.gone, topic(4) AS t, nothing FROM '#'",
              R"({"nothing":null})"},
             {"SELECT 1 AS a, -2.5 AS b, 'it''s' AS c, \"d\"\"q\" AS d, NULL AS e, true AS f FROM "
              "'#';",
              R"({"a":1,"b":-2.5,"c":"it's","d":"d\"q","e":null,"f":true})"},
             {"SELECT temperature > 40 AS hot, NOT on AS off FROM '#'",
              R"({"hot":true,"off":false})"},
             {"SELECT topic(2) FROM '#'", "{\"topic(2)\":\"line1\"}"}}) {
        EXPECT_EQ(made_of(sql), expected) << sql;
    }
}

TEST(Statement, AddsToTheWholePayload) {
    EXPECT_EQ(made_of("SELECT *, topic(2) AS line FROM '#'", {"a/b", R"({"x":1,"line":"old"})"}),
              R"({"line":"b","x":1})");
    EXPECT_EQ(made_of("SELECT topic(2) AS x, * FROM '#'", {"a/b", R"({"x":1})"}), R"({"x":1})");
    EXPECT_EQ(made_of("SELECT *, topic(2) AS line FROM '#'", {"a/b", "21.5"}), R"({"line":"b"})");
}

TEST(Statement, PassesEveryPayloadAsItIsWithAStarAlone) {
    for (const std::string payload :
         {"21.5", R"({ "b" : 1, "a" : 1.0 })", "\xFF\xFEnot json", "", "{\"cut"}) {
        EXPECT_EQ(made_of("SELECT * FROM 'a/b'", {"a/b", payload}), payload);
    }
}

TEST(Statement, DecidesByWhere) {
    for (const auto& [condition, holds] : std::vector<std::pair<const char*, bool>>{
             {"temperature > 40", true},
             {"temperature > 50 AND color <> 'red'", false},
             {"temperature >= 50 AND color = 'red'", true},
             {"temperature < 50 OR on", true},
             {"temperature <= 49.9", false},
             {"NOT temperature = 50", false},
             {"NOT (temperature = 1 OR color = 'blue')", true},
             {"color != 'blue'", true},
             {"color = 'RED'", false},
             {"place.floor = 2.0", true},
             {"place.room.name = 'pool'", true},
             // AND binds closer than OR, NOT closest
             {"true OR true AND false", true},
             {"(true OR true) AND false", false},
             {"NOT false AND false", false},
             // texts count as numbers where both are wanted as such
             {"level > 6", true},
             {"level = 7", true},
             {"'10' > '9'", true},
             {"color > 1", false},
             {"'TRUE' AND on", true},
             // what cannot be compared, or is not there, is undefined: neither true nor false
             {"gone = 1", false},
             {"NOT gone = 1", false},
             {"gone <> 1", false},
             {"gone", false},
             {"on = 1", false},
             {"on <> 1", false},
             {"color AND true", false},
             {"nothing = NULL", true},
             {"list = list", true},
             {"place = list", false},
             {"temperature", false},
             {"topic(2) = 'line1'", true},
             {"clientid() = topic(2)", false},
             {"principal() = 'cafe01'", true},
             {"timestamp() > 1764108000122 AND timestamp() < 1764108000124", true}}) {
        const std::string sql = "SELECT color FROM '#' WHERE " + std::string(condition);
        EXPECT_EQ(made_of(sql), holds ? R"({"color":"red"})" : "-") << condition;
    }
}

TEST(Statement, ComparesLargeIntegersToTheLastDigit) {
    const Published large{"t", R"({"n":9007199254740993})"};
    EXPECT_EQ(made_of("SELECT n FROM 't' WHERE n > 9007199254740992", large),
              R"({"n":9007199254740993})");
    EXPECT_EQ(made_of("SELECT n FROM 't' WHERE n = 9007199254740992", large), "-");
}

TEST(Statement, SaysWhereItIsWrong) {
    for (const auto& [sql, message] : std::vector<Case>{
             {"", "1:1: expected SELECT, found the end"},
             {"UPDATE x", "1:1: expected SELECT, found UPDATE"},
             {"SELECT FROM 'a'",
              "1:8: expected a field, a function, a number or a text, found FROM"},
             {"SELECT *", "1:9: expected FROM, found the end"},
             {"SELECT * FROM a/b", "1:15: expected a topic filter in quotes, found a"},
             // as the seed has it, with an editor's quotes
             {"SELECT message as msg FROM \xE2\x80\x98+/audit\xE2\x80\x99",
              "1:28: expected a straight quote (') here"},
             {"SELECT * FROM 'a/b", "1:15: expected a quote at the end of this text"},
             {"SELECT * FROM ''", "1:15: expected a topic filter"},
             {"SELECT * FROM 'a/b#'", "1:15: + has a level of its own, # is the last one"},
             {"SELECT * FROM 'a/#/b'", "1:15: + has a level of its own, # is the last one"},
             {"SELECT * FROM 'a'\nWHERE",
              "2:6: expected a field, a function, a number or a text, "
              "found the end"},
             {"SELECT * FROM 'a' HAVING x", "1:19: expected WHERE or the end, found HAVING"},
             {"SELECT * FROM 'a' WHERE x = 1 2", "1:31: expected the end, AND or OR, found 2"},
             {"SELECT * FROM 'a' WHERE (x = 1", "1:31: expected ), found the end"},
             {"SELECT * FROM 'a' WHERE x = 1a", "1:29: expected a number such as 20 or 36.6"},
             {"SELECT * FROM 'a' WHERE x = 007",
              "1:29: expected a number without zeros in front, found 007"},
             {"SELECT x AS FROM 'a'", "1:13: expected a name, found FROM"},
             {"SELECT topic(0) AS t FROM 'a'", "1:14: expected a number of 1 to 128, found 0"},
             {"SELECT encode(*, 'base64') AS t FROM 'a'",
              "1:8: expected one of the functions topic, timestamp, clientid and principal, found "
              "encode"},
             {"SELECT a + 1 AS t FROM 'a'", "1:10: unexpected character"}}) {
        EXPECT_EQ(made_of(sql), message) << sql;
    }
    const std::string deep = "SELECT * FROM 'a' WHERE " + std::string(100, '(') + "x";
    EXPECT_THAT(made_of(deep), testing::HasSubstr("expected at most 64 conditions"));
    EXPECT_EQ(made_of(std::string(20'000, ' ')), "1:1: expected at most 16384 bytes");
}

TEST(Statement, ReadsOnePayloadForRulesThatLookAtDifferentMembers) {
    const std::string payload =
        R"({"a":{"b":1,"c":[{"d":2},"x"]},"skipped":{"a":{"b":9},"z":[1,{"b":2}]},"b":"t\"","a2":-3,)"
        R"("a":{"b":5,"c":[{"d":7}]},"big":18446744073709551615,"n":null})";
    const Message message("t", bytes_of(payload), "c", "p", Moment{});
    const auto select = [&](std::string_view sql) {
        auto statement = Statement::parse(sql);
        EXPECT_TRUE(statement) << to_string(statement.error());
        return statement->evaluate(message).value_or("none");
    };
    EXPECT_EQ(select("SELECT a.b AS x, b FROM 't'"), R"({"b":"t\"","x":5})") << "the last a counts";
    EXPECT_EQ(select("SELECT a.c AS c, n, big FROM 't' WHERE a2 < 0"),
              R"({"big":18446744073709551615,"c":[{"d":7}],"n":null})");
    EXPECT_EQ(select("SELECT skipped.z AS z FROM 't'"), R"({"z":[1,{"b":2}]})");
    EXPECT_EQ(select("SELECT * FROM 't' WHERE missing = 1"), "none");
    EXPECT_EQ(select("SELECT b AS x, missing AS x, a2 AS y, b AS y FROM 't'"),
              R"({"x":"t\"","y":"t\""})")
        << "of one name the last that is there";
}

TEST(Statement, TakesADeepPayloadForNoJson) {
    const std::string deep =
        R"({"a":1,"b":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}";
    EXPECT_EQ(made_of("SELECT a FROM 't'", {"t", deep}), "{}");
    EXPECT_EQ(made_of("SELECT * FROM 't'", {"t", deep}), deep);
    const std::string quoted = R"({"a":"[[\"[[)" + std::string(500, '{') + R"("})";
    EXPECT_EQ(made_of("SELECT a FROM 't'", {"t", quoted}), quoted);
}

TEST(FilterCovers, FollowsMqtt) {
    struct Row {
        const char* filter;
        const char* topic;
        bool covers;
    };
    for (const auto& [filter, topic, covers] :
         std::vector<Row>{// MQTT 3.1.1, 4.7.1.2 and 4.7.1.3
                          {"sport/tennis/player1/#", "sport/tennis/player1", true},
                          {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
                          {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
                          {"sport/#", "sport", true},
                          {"#", "a/b", true},
                          {"sport/tennis/+", "sport/tennis/player1", true},
                          {"sport/tennis/+", "sport/tennis/player1/ranking", false},
                          {"sport/+", "sport", false},
                          {"sport/+", "sport/", true},
                          {"+/+", "/finance", true},
                          {"/+", "/finance", true},
                          {"+", "/finance", false},
                          {"a/b", "a/b/c", false},
                          {"a/b/c", "a/b", false},
                          {"a/b", "a/B", false},
                          // 4.7.2
                          {"#", "$SYS/x", false},
                          {"+/monitor", "$SYS/monitor", false},
                          {"$SYS/#", "$SYS/x", true},
                          {"$aws/events/certificates/registered/+",
                           "$aws/events/certificates/registered/ca",
                           true}}) {
        EXPECT_EQ(filter_covers(filter, topic), covers) << filter << " and " << topic;
    }
}

std::string expanded(std::string_view text) {
    const auto substitution = Substitution::parse(text);
    if (!substitution) return to_string(substitution.error());
    const Message message("a/b", bytes_of(kPayload), "device-1", "cafe01", kNow);
    return substitution->expand(message);
}

TEST(Substitution, PutsValuesIn) {
    for (const auto& [text, expected] :
         std::vector<Case>{{"${topic()}/${timestamp()}", "a/b/1764108000123"},  // the seed's key
                           {"plain", "plain"},
                           {"", ""},
                           {"$x {y} $", "$x {y} $"},
                           {"${ color }-${temperature}-${ratio}-${on}-${place}",
                            "red-50-0.5-true-"
                            R"({"floor":2,"room":{"name":"pool"}})"},
                           {"<${gone}>", "<>"},  // "Undefined is converted to an empty string"
                           {"${'}'}", "}"},
                           {"${topic(2) = 'b'}", "true"}}) {
        EXPECT_EQ(expanded(text), expected) << text;
    }
}

TEST(Substitution, SaysWhereItIsWrong) {
    EXPECT_EQ(expanded("x/${topic()"), "1:12: expected }, found the end");
    EXPECT_EQ(expanded("x\n${}"), "2:3: expected a field, a function, a number or a text, found }");
    EXPECT_EQ(expanded("${newuuid()}"),
              "1:3: expected one of the functions topic, timestamp, clientid and principal, found "
              "newuuid");
}

}  // namespace
}  // namespace hatchery::topic_rules
