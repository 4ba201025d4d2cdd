// Every function with legal and illegal arguments, in the place of an attribute's value.
#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

namespace hatchery::templates {
namespace {

std::string around(const std::string& value) {
    return R"({"Parameters": {"P": {"Type": "String"}, "Q": {"Type": "String", "Default": "q"},
                  "I": {"Type": "String", "Default": "1"}, "E": {"Type": "String", "Default": ""}},
        "Mappings": {"M": {"a": {"x": "ax", "y": "ay"}, "b": {"x": "bx"}, "p-1": {"x": "px"}}},
        "Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties": {
            "ThingName": {"Ref": "P"}, "AttributePayload": {"v": )" +
           value + "}}}}}";
}

/// The attribute's value, the finding that refused it, or the error of resolve.
std::string value_of(const std::string& value) {
    const Compiled compiled = compile(around(value), Kind::Bulk);
    if (!compiled.value) {
        for (const Diagnostic& found : compiled.diagnostics) {
            if (found.severity == Severity::Error) return found.code;
        }
        return "no error found";
    }
    const auto plan = resolve(*compiled.value, {{"P", "p-1"}});
    if (!plan) return "!" + plan.error().message;
    return plan->thing->attributes.at("v");
}

struct Case {
    const char* value;
    const char* expected;
};

void expect_all(const std::vector<Case>& cases) {
    for (const Case& c : cases)
        EXPECT_EQ(value_of(c.value), c.expected) << c.value;
}

TEST(Functions, Ref) {
    expect_all({
        {R"({"Ref": "P"})", "p-1"},
        {R"({"Ref": "Q"})", "q"},
        {R"({"Ref": "E"})", ""},
        {R"({"Ref": "R"})", "T201"},
        {R"({"Ref": ""})", "T201"},
        {R"({"Ref": 1})", "T203"},
        {R"({"Ref": {"Ref": "P"}})", "T203"},
        {R"({"Ref": "P", "x": "y"})", "T207"},
        {R"({})", "T207"},
        {R"({"ref": "P"})", "T202"},
        {R"({"Ref": "t"})", "T201"},
    });
}

TEST(Functions, Join) {
    expect_all({
        {R"({"Fn::Join": ["-", ["a", {"Ref": "P"}, "c"]]})", "a-p-1-c"},
        {R"({"Fn::Join": ["", ["a", "b"]]})", "ab"},
        {R"({"Fn::Join": ["-", []]})", ""},
        {R"({"Fn::Join": [":", {"Fn::Split": ["-", {"Ref": "P"}]}]})", "p:1"},
        {R"({"Fn::Join": [":", {"Fn::Split": ["-", "a-b"]}]})", "a:b"},
        {R"({"Fn::Join": ["-", [{"Fn::Join": ["+", ["a"]]}, "b"]]})", "a-b"},
        {R"({"Fn::Join": ["-", ["a", {"Ref": "R"}]]})", "T201"},
        {R"({"Fn::Join": ["-", "a"]})", "T207"},
        {R"({"Fn::Join": ["-", {"Ref": "P"}]})", "T207"},
        {R"({"Fn::Join": ["-", ["a", 1]]})", "T207"},
        {R"({"Fn::Join": ["-", ["a", ["b"]]]})", "T207"},
        {R"({"Fn::Join": ["-", ["a", {"Fn::Split": ["-", "b"]}]]})", "T207"},
        {R"({"Fn::Join": [1, ["a"]]})", "T203"},
        {R"({"Fn::Join": [{"Ref": "P"}, ["a"]]})", "T203"},
        {R"({"Fn::Join": ["-", ["a"], "b"]})", "T203"},
        {R"({"Fn::Join": []})", "T203"},
        {R"({"Fn::Join": "a"})", "T203"},
        {R"({"Fn::Join": {}})", "T203"},
    });
}

TEST(Functions, Select) {
    expect_all({
        {R"({"Fn::Select": ["1", {"Fn::Split": ["-", "a-b"]}]})", "b"},
        {R"({"Fn::Select": ["2", {"Fn::Split": ["-", "a-b"]}]})", "T205"},
        {R"({"Fn::Select": [1, ["a", {"Ref": "P"}]]})", "p-1"},
        {R"({"Fn::Select": [0, ["a", {"Ref": "P"}]]})", "a"},
        {R"({"Fn::Select": [{"Ref": "I"}, ["a", "b"]]})", "b"},
        {R"({"Fn::Select": [{"Ref": "P"}, ["a", "b"]]})",
         "!expected an index, counted from 0, into a list of 2, found \"p-1\""},
        {R"({"Fn::Select": [2, {"Fn::Split": ["-", {"Ref": "P"}]}]})",
         "!expected an index, counted from 0, into a list of 2, found \"2\""},
        {R"({"Fn::Select": [1, {"Fn::Split": ["-", {"Ref": "P"}]}]})", "1"},
        {R"({"Fn::Select": [2, ["a", {"Ref": "P"}]]})", "T205"},
        {R"({"Fn::Select": [0, []]})", "T205"},
        {R"({"Fn::Select": [-1, ["a"]]})", "T203"},
        {R"({"Fn::Select": [0.0, ["a"]]})", "T203"},
        {R"({"Fn::Select": ["", ["a"]]})", "T203"},
        {R"({"Fn::Select": ["99999999999999999999", ["a"]]})", "T203"},
        {R"({"Fn::Select": [true, ["a"]]})", "T207"},
        {R"({"Fn::Select": [0, [null, "a"]]})", "T207"},
        {R"({"Fn::Select": [0, "a"]})", "T207"},
        {R"({"Fn::Select": [0, {"Ref": "P"}]})", "T207"},
        {R"({"Fn::Select": [0]})", "T203"},
        {R"({"Fn::Select": 0})", "T203"},
    });
}

TEST(Functions, FindInMap) {
    expect_all({
        {R"({"Fn::FindInMap": ["M", "a", "y"]})", "ay"},
        {R"({"Fn::FindInMap": ["M", {"Ref": "P"}, "x"]})", "px"},
        {R"({"Fn::FindInMap": ["M", {"Fn::Select": [0, ["b", "a"]]}, "x"]})", "bx"},
        {R"({"Fn::FindInMap": ["M", {"Ref": "Q"}, "x"]})",
         "!expected a key of mapping \"M\", found \"q\""},
        {R"({"Fn::FindInMap": ["M", "b", {"Ref": "Q"}]})",
         "!expected a key of mapping \"M\", \"b\", found \"q\""},
        {R"({"Fn::FindInMap": [{"Ref": "Q"}, "b", "x"]})",
         "!expected a map of the Mappings section, found \"q\""},
        {R"({"Fn::FindInMap": ["N", "a", "x"]})", "T204"},
        {R"({"Fn::FindInMap": ["M", "c", "x"]})", "T204"},
        {R"({"Fn::FindInMap": ["M", "b", "y"]})", "T204"},
        {R"({"Fn::FindInMap": ["M", "c", {"Ref": "P"}]})", "T204"},
        {R"({"Fn::FindInMap": ["M", "a"]})", "T203"},
        {R"({"Fn::FindInMap": ["M", "a", "x", "y"]})", "T203"},
        {R"({"Fn::FindInMap": "M"})", "T203"},
        {R"({"Fn::FindInMap": ["M", 1, "x"]})", "T207"},
        {R"({"Fn::FindInMap": ["M", {"Fn::Split": ["-", "a"]}, "x"]})", "T207"},
    });
}

TEST(Functions, Split) {
    expect_all({
        {R"({"Fn::Join": ["/", {"Fn::Split": [", ", "a, b,c"]}]})", "a/b,c"},
        {R"({"Fn::Join": ["/", {"Fn::Split": [",", "a,,b,"]}]})", "a//b/"},
        {R"({"Fn::Join": ["/", {"Fn::Split": [",", ""]}]})", ""},
        {R"({"Fn::Select": [0, {"Fn::Split": ["x", {"Fn::Join": ["x", ["a", {"Ref": "P"}]]}]}]})",
         "a"},
        {R"({"Fn::Split": ["-", "a-b"]})", "T207"},
        {R"({"Fn::Select": [0, {"Fn::Split": ["", "a-b"]}]})", "T203"},
        {R"({"Fn::Select": [0, {"Fn::Split": [1, "a-b"]}]})", "T203"},
        {R"({"Fn::Select": [0, {"Fn::Split": ["-", ["a-b"]]}]})", "T207"},
        {R"({"Fn::Select": [0, {"Fn::Split": ["-"]}]})", "T203"},
    });
}

TEST(Functions, Sub) {
    expect_all({
        {R"({"Fn::Sub": "a-${P}-${Q}"})", "a-p-1-q"},
        {R"({"Fn::Sub": "plain"})", "plain"},
        {R"({"Fn::Sub": ""})", ""},
        {R"({"Fn::Sub": ["${x}/${P}/${x}", {"x": {"Fn::Join": ["-", ["a", {"Ref": "Q"}]]}}]})",
         "a-q/p-1/a-q"},
        {R"({"Fn::Sub": ["${P}", {"P": "hidden"}]})", "hidden"},
        {R"({"Fn::Sub": ["${P}", {}]})", "p-1"},
        {R"({"Fn::Sub": ["${x}", {"x": {"Fn::Sub": ["${y}${P}", {"y": "z"}]}}]})", "zp-1"},
        {R"({"Fn::Sub": "${R}"})", "T201"},
        {R"({"Fn::Sub": "${}"})", "T208"},
        {R"({"Fn::Sub": "${P"})", "T208"},
        {R"({"Fn::Sub": "${iot:ClientId}"})", "T208"},
        {R"({"Fn::Sub": "${!iot:ClientId}"})", "T308"},  // legal, but no attribute value
        {R"({"Fn::Sub": ["${x}", {"x": 1}]})", "T207"},
        {R"({"Fn::Sub": ["${x}"]})", "T203"},
        {R"({"Fn::Sub": [{"x": "y"}, "${x}"]})", "T203"},
        {R"({"Fn::Sub": {"x": "y"}})", "T203"},
    });
}

TEST(Functions, OthersDoNotExist) {
    expect_all({
        {R"({"Fn::GetAtt": ["t", "Arn"]})", "T202"},
        {R"({"Fn::Base64": "x"})", "T202"},
        {R"({"Fn::join": ["", ["a"]]})", "T202"},
        {R"({"x": "y"})", "T202"},
        {"1", "T207"},
        {"true", "T207"},
        {"null", "T207"},
        {"[]", "T207"},
    });
}

TEST(Functions, ApplyInAPolicyDocumentButLeavePolicyVariables) {
    const std::string text = R"({"Parameters": {"P": {"Type": "String"}}, "Resources": {
        "c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificatePem": {"Ref": "P"}}},
        "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": {"Fn::Split": [",", "iot:Connect,iot:Publish"]},
                "Resource": ["arn:${iot:ClientId}", {"Fn::Sub": "x/${P}/${!iot:ClientId}"},
                             {"Ref": "P"}],
                "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": [true]}, "n": 1.50}}}}}}})";
    const Compiled compiled = compile(text, Kind::Bulk);
    ASSERT_TRUE(compiled.value) << render(compiled.diagnostics);
    const auto plan = resolve(*compiled.value, {{"P", "a\"b"}});
    ASSERT_TRUE(plan) << to_string(plan.error());
    EXPECT_EQ(
        *plan->policies.at(0).policy_document,
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:Connect","iot:Publish"],)"
        R"("Resource":["arn:${iot:ClientId}","x/a\"b/${iot:ClientId}","a\"b"],)"
        R"("Condition":{"Bool":{"iot:Connection.Thing.IsAttached":[true]},"n":1.50}}})");
}

struct Column {
    const char* function;
    std::vector<const char*> expected;  ///< a value, a finding, one a shape
};

// Every function with every shape of argument.
TEST(Functions, TakeTheirOwnShapeOfArgumentsOnly) {
    const std::vector<const char*> shapes = {R"("Q")",
                                             "1",
                                             "true",
                                             "null",
                                             "[]",
                                             R"(["a"])",
                                             R"(["-", "a-b"])",
                                             R"(["-", ["a", "b"]])",
                                             R"([0, ["a", "b"]])",
                                             R"(["M", "a", "x"])",
                                             R"(["${v}", {"v": "a"}])",
                                             "{}",
                                             R"({"Ref": "P"})"};
    // "Fn::Split" gives a list: looked at through Fn::Join.
    const std::vector<Column> columns = {
        {"Ref",
         {"q",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203"}},
        {"Fn::Join",
         {"T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T207",
          "a-b",
          "T203",
          "T203",
          "T202",
          "T203",
          "T203"}},
        {"Fn::Select",
         {"T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "a",
          "T203",
          "T203",
          "T203",
          "T203"}},
        {"Fn::FindInMap",
         {"T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "ax",
          "T203",
          "T203",
          "T203"}},
        {"Fn::Split",
         {"T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "a/b",
          "T207",
          "T203",
          "T203",
          "T202",
          "T203",
          "T203"}},
        {"Fn::Sub",
         {"Q",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "T203",
          "a",
          "T203",
          "T203"}},
    };
    for (const Column& column : columns) {
        ASSERT_EQ(column.expected.size(), shapes.size());
        const bool is_list = column.function == std::string("Fn::Split");
        for (std::size_t i = 0; i < shapes.size(); ++i) {
            const std::string call =
                "{\"" + std::string(column.function) + "\": " + shapes[i] + "}";
            const std::string value = is_list ? R"({"Fn::Join": ["/", )" + call + "]}" : call;
            EXPECT_EQ(value_of(value), column.expected[i]) << value;
        }
    }
}

// Every function in every place of every other one.
TEST(Functions, NestWhereTheirKindOfValueIsWanted) {
    enum class Wants { Literal, Text, List };
    struct Place {
        const char* before;
        const char* after;
        Wants wants;
    };
    const std::vector<Place> places = {
        {R"({"Ref": )", "}", Wants::Literal},
        {R"({"Fn::Join": [)", R"(, ["a"]]})", Wants::Literal},
        {R"({"Fn::Join": ["-", )", "]}", Wants::List},
        {R"({"Fn::Join": ["-", [)", "]]}", Wants::Text},
        {R"({"Fn::Select": [)", R"(, ["a", "b"]]})", Wants::Text},
        {R"({"Fn::Select": ["0", )", "]}", Wants::List},
        {R"({"Fn::Select": ["0", [)", "]]}", Wants::Text},
        {R"({"Fn::FindInMap": [)", R"(, "a", {"Ref": "Q"}]})", Wants::Text},
        {R"({"Fn::FindInMap": ["M", )", R"(, {"Ref": "Q"}]})", Wants::Text},
        {R"({"Fn::FindInMap": ["M", {"Ref": "Q"}, )", "]}", Wants::Text},
        {R"({"Fn::Join": ["", {"Fn::Split": [)", R"(, "a"]}]})", Wants::Literal},
        {R"({"Fn::Join": ["", {"Fn::Split": ["-", )", "]}]}", Wants::Text},
        {R"({"Fn::Sub": )", "}", Wants::Literal},
        {R"({"Fn::Sub": [)", R"(, {"v": "a"}]})", Wants::Literal},
        {R"({"Fn::Sub": ["${v}", {"v": )", "}]}", Wants::Text},
    };
    const std::vector<std::pair<const char*, bool>> functions = {
        {R"({"Ref": "P"})", false},
        {R"({"Fn::Join": ["-", [{"Ref": "P"}]]})", false},
        {R"({"Fn::Select": [0, [{"Ref": "P"}]]})", false},
        {R"({"Fn::FindInMap": ["M", {"Ref": "P"}, "x"]})", false},
        {R"({"Fn::Sub": "${P}"})", false},
        {R"({"Fn::Split": ["-", {"Ref": "P"}]})", true},
    };
    for (const Place& place : places) {
        for (const auto& [function, gives_list] : functions) {
            const std::string value = place.before + std::string(function) + place.after;
            const std::string result = value_of(value);
            const bool is_legal = place.wants == (gives_list ? Wants::List : Wants::Text);
            const bool is_finding = result.size() == 4 && result[0] == 'T';
            EXPECT_EQ(!is_finding, is_legal) << value << " gives " << result;
            if (!is_legal) {
                EXPECT_EQ(result, place.wants == Wants::Literal ? "T203" : "T207") << value;
            }
        }
    }
}

}  // namespace
}  // namespace hatchery::templates
