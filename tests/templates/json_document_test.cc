#include "templates/json_document.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hatchery::templates::json {
namespace {

std::string error_of(const std::string& text) {
    const auto parsed = Document::parse(text);
    if (parsed) return "parsed";
    const SyntaxError& error = parsed.error();
    std::string out = std::to_string(error.range.line) + ":" + std::to_string(error.range.column) +
                      " " + error.message;
    if (!error.suggestion.empty()) out += " | " + error.suggestion;
    return out;
}

std::string compact_of(const std::string& text) {
    const auto parsed = Document::parse(text);
    return parsed ? compact((*parsed)->root()) : error_of(text);
}

TEST(JsonDocument, ReadsWhatRfc8259Allows) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {" null ", "null"},
        {"true", "true"},
        {"\t[ ]\r\n", "[]"},
        {"{ }", "{}"},
        {"[1, -0, 2.50, 1e3, -1.5E-7]", "[1,-0,2.50,1e3,-1.5E-7]"},
        {R"({"a" : {"b":[1 ,[2]]}, "c":""})", R"({"a":{"b":[1,[2]]},"c":""})"},
        {R"("\u00e4\n\/\"\\\b\f\r\t")", "\"ä\\n/\\\"\\\\\\u0008\\u000c\\r\\t\""},
        {R"("\uD83D\uDD11")", "\"\xF0\x9F\x94\x91\""},
        {R"({"\u0061": "b\u0000c"})", R"({"a":"b\u0000c"})"},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_EQ(compact_of(text), expected) << text;
}

TEST(JsonDocument, RefusesTheRestAndSaysWhere) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "1:1 expected a JSON value, found the end of the text"},
        {"{",
         "1:2 expected a member name in double quotes, found the end of the text | is a "
         "closing bracket missing?"},
        {"[1,\n2,\n]", "3:1 expected a JSON value, found ']' | remove the comma before it"},
        {"[1 2]", "1:4 expected ',' or ']' after an entry, found '2'"},
        {R"({"a" 1})", "1:6 expected ':' after the member name, found '1'"},
        {R"({"a":1 "b":2})", "1:8 expected ',' or '}' after a member, found '\"'"},
        {"{'a':1}",
         "1:2 expected a member name in double quotes, found ''' | JSON strings stand "
         "in double quotes"},
        {"{} x", "1:4 expected the end of the text after the JSON value, found 'x'"},
        {"// c\n{}", "1:1 expected a JSON value, found '/' | JSON has no comments"},
        {"[True]", "1:2 expected a JSON value, found 'True' | did you mean true?"},
        {"[nullx]", "1:2 expected a JSON value, found 'nullx'"},
        {"[01]", "1:2 expected a number without leading zeros, found '01' | write it as a string"},
        {"[1.]", "1:4 expected a digit after '.', found ']'"},
        {"[-]", "1:3 expected a digit, found ']'"},
        {"[1e]", "1:4 expected a digit in the exponent, found ']'"},
        {"\"abc", "1:1 expected a closing '\"', found the end of the text"},
        {"\"a\nb\"",
         "1:3 expected a closing '\"', found the end of the line | a line break in a string is "
         "written \\n"},
        {"\"a\tb\"", "1:3 expected an escape, found a control character in a string"},
        {"\"a\xFF\"", "1:3 expected UTF-8, found another byte"},
        {R"("\x")",
         "1:2 expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u with four "
         "hexadecimal digits (surrogates in pairs), found '\\x'"},
        {R"("\uD83Dx")",
         "1:2 expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u with four "
         "hexadecimal digits (surrogates in pairs), found '\\uD83D'"},
        {"\xEF\xBB\xBF{}",
         "1:1 expected a JSON value, found a byte order mark | save the file as "
         "UTF-8 without byte order mark"},
        {"[{{name}}]",
         "1:3 expected a member name in double quotes, found '{' | was the "
         "placeholder {{name}} left unfilled?"},
        {"[${NAME}]",
         "1:2 expected a JSON value, found '$' | was the placeholder ${NAME} left unfilled?"},
    };
    for (const auto& [text, expected] : cases)
        EXPECT_EQ(error_of(text), expected) << text;
}

TEST(JsonDocument, EveryCutOfADocumentIsAnError) {
    const std::string text =
        R"({"a": [1, -2.5e3, true, null, "x\u00e4\uD83D\uDD11"], "b": {"c": ""}})";
    for (std::size_t length = 0; length < text.size(); ++length) {
        EXPECT_FALSE(Document::parse(text.substr(0, length))) << length;
    }
    EXPECT_TRUE(Document::parse(text));
}

TEST(JsonDocument, KnowsWhereEachValueStands) {
    const auto document = *Document::parse("{\n  \"a/b\": [1,\n    {\"~\": \"x\\ty\"} ]\n}\n");
    const Value list = *document->root().find("a/b");
    EXPECT_EQ(document->pointer(list.id()), "/a~1b");
    const Value inner = *list.at(1).find("~");
    EXPECT_EQ(document->pointer(inner.id()), "/a~1b/1/~0");
    EXPECT_EQ(inner.text(), "x\ty");
    const Range value = document->range(inner.node().begin, inner.node().end);
    EXPECT_EQ(value.line, 3U);
    EXPECT_EQ(value.column, 11U);
    EXPECT_EQ(value.end_line, 3U);
    EXPECT_EQ(value.end_column, 17U);
    const Range whole = document->range(list.node().begin, list.node().end);
    EXPECT_EQ(whole.line, 2U);
    EXPECT_EQ(whole.column, 10U);
    EXPECT_EQ(whole.end_line, 3U);
    EXPECT_EQ(whole.end_column, 20U);
    const Range key = document->range(list.node().key_begin, list.node().key_end);
    EXPECT_EQ(key.column, 3U);
    EXPECT_EQ(key.end_column, 8U);
}

TEST(JsonDocument, BoundsItsDepth) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(Document::parse(nested(kMaxDepth)));
    const auto refused = Document::parse(nested(kMaxDepth + 1));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().too_deep);
    EXPECT_EQ(refused.error().message, "expected at most 64 levels of brackets, found one more");
    EXPECT_EQ(refused.error().range.column, 65U);
    EXPECT_FALSE(Document::parse(std::string(1'000'000, '[')));
}

TEST(JsonDocument, FindsRepeatedMembersAtEveryLevel) {
    const auto document = *Document::parse(R"({"a":1,"b":{"c":1,"\u0063":2,"c":3},"a":2})");
    std::vector<std::string> keys;
    for (const NodeId id : document->duplicates()) {
        keys.push_back(document->pointer(id) + "=" + std::string(document->node(id).text));
    }
    EXPECT_EQ(keys, (std::vector<std::string>{"/a=2", "/b/c=2", "/b/c=3"}));
}

}  // namespace
}  // namespace hatchery::templates::json
