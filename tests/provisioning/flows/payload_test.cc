#include "provisioning/flows/payload.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace hatchery::flows {
namespace {

struct CborCase {
    const char* name;
    Bytes bytes;
    bool bounded;
};

Bytes repeat(std::uint8_t byte, std::size_t count) {
    return Bytes(count, byte);
}

TEST(Payload, BoundsCborBeforeItIsParsed) {
    const CborCase cases[] = {
        {"empty map", {0xa0}, true},
        {"map", {0xa1, 0x61, 'a', 0x01}, true},
        {"map in map", {0xa1, 0x61, 'a', 0xa1, 0x61, 'b', 0xf6}, true},
        {"indefinite map", {0xbf, 0x61, 'a', 0x01, 0xff}, true},
        {"indefinite text of two chunks", {0x7f, 0x61, 'a', 0x61, 'b', 0xff}, true},
        {"eight-byte integer", {0x1b, 1, 2, 3, 4, 5, 6, 7, 8}, true},
        {"float", {0xfa, 0, 0, 0, 0}, true},
        {"nothing", {}, false},
        {"map without its value", {0xa1, 0x61, 'a'}, false},
        {"cut text", {0x63, 'a', 'b'}, false},
        {"cut length", {0x79, 0x01}, false},
        {"text longer than memory", {0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
        {"array longer than memory", {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
        {"two items", {0xa0, 0xa0}, false},
        {"break alone", {0xff}, false},
        {"break after a key", {0xbf, 0x61, 'a', 0xff}, false},
        {"break in a definite map", {0xa1, 0xff}, false},
        {"reserved additional information", {0x1c}, false},
        {"tag", {0xc0, 0x61, 'a'}, false},
        {"chunk of another type", {0x7f, 0x41, 'a', 0xff}, false},
        {"open text in open text", repeat(0x7f, 100'000), false},
        {"deep arrays", repeat(0x81, 100'000), false},
        {"deep open maps", repeat(0xbf, 100'000), false},
    };
    for (const auto& test : cases)
        EXPECT_EQ(is_bounded_cbor(test.bytes, 16), test.bounded) << test.name;
}

TEST(Payload, AcceptsWhatTheLibraryWrites) {
    const nlohmann::json document = {
        {"certificateOwnershipToken", std::string(300, 't')},
        {"parameters", {{"a", "1"}, {"b", std::string(4096, 'v')}}},
        {"unknown", {1, -1, 1.5, true, nullptr, nlohmann::json::array({"x"})}}};
    const auto cbor = nlohmann::json::to_cbor(document);
    EXPECT_TRUE(is_bounded_cbor(cbor, 16));
    const auto members = read_request(cbor, Encoding::Cbor);
    ASSERT_TRUE(members) << to_string(members.error());
    EXPECT_EQ(members->certificate_ownership_token, std::string(300, 't'));
    EXPECT_EQ(members->parameters.size(), 2U);
    EXPECT_FALSE(members->certificate_signing_request);
}

TEST(Payload, RefusesAParameterThatIsTooLong) {
    const std::string text = R"({"parameters":{"a":")" + std::string(4097, 'v') + "\"}}";
    const auto members = read_request(bytes_of(text), Encoding::Json);
    ASSERT_FALSE(members);
    EXPECT_EQ(to_string(members.error()),
              "/parameters/a: expected a name of at most 2048 and a value of at most 4096 "
              "characters");
}

TEST(Payload, CountsBracketsOutsideStringsOnly) {
    EXPECT_TRUE(is_bounded_json(R"({"a":"[[[[\"[[[["})", 2));
    EXPECT_TRUE(is_bounded_json("[[][][]]", 2));
    EXPECT_FALSE(is_bounded_json("[[[", 2));
}

TEST(Payload, WritesMembersInOrder) {
    const std::vector<AnswerMember> members{{"z", "text", {}, {}},
                                            {"a", {}, 409, {}},
                                            {"m", {}, {}, std::map<std::string, std::string>{}}};
    EXPECT_EQ(write_answer(members, Encoding::Json), R"({"z":"text","a":409,"m":{}})");
    // a3 map(3): 61 7a "z" 64 "text", 61 61 "a" 19 0199 = 409, 61 6d "m" a0 map(0)
    EXPECT_EQ(to_hex(bytes_of(write_answer(members, Encoding::Cbor))),
              "a3617a6474657874616119019961"
              "6da0");
}

}  // namespace
}  // namespace hatchery::flows
