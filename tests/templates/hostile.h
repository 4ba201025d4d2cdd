// Templates that fill their 10,240 characters with one thing each, to cost as much as they can.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace hatchery::templates {

struct HostileTemplate {
    const char* name;
    std::string text;
};

/// `head`, as many of `piece(0)`, `piece(1)`, … as fit, `tail`.
inline std::string filled_with(const std::string& head,
                               const std::function<std::string(std::size_t)>& piece,
                               const std::string& tail) {
    constexpr std::size_t kCharacters = 10'240;
    std::string text = head;
    for (std::size_t i = 0;; ++i) {
        const std::string next = piece(i);
        if (text.size() + next.size() + tail.size() > kCharacters) break;
        text += next;
    }
    return text + tail;
}

/// All compile as bulk templates, or are refused with a reason.
inline std::vector<HostileTemplate> hostile_templates() {
    const auto repeated = [](const char* piece) { return [=](std::size_t) { return piece; }; };
    const auto numbered = [](const char* before, const char* after) {
        return [=](std::size_t i) { return before + std::to_string(i) + after; };
    };
    const std::string p = R"({"Parameters":{"P":{"Type":"String"}},)";
    const std::string configuration = p + R"("Resources":{},"DeviceConfiguration":{"v":)";
    std::string deep = R"({"Ref":"P"})";
    for (int i = 0; i < 14; ++i)
        deep = R"({"Fn::Join":["",[)" + deep + "]]}";
    std::string join_chain = R"({"Ref":"P"})";
    for (int i = 0; i < 15; ++i)
        join_chain = R"({"Fn::Join":["-",[)" + join_chain + "," + join_chain + "]]}";
    std::string declared;
    std::string used;
    for (int i = 0; declared.size() + used.size() < 10'080; ++i) {
        declared += '"' + std::to_string(i) + R"(":{"Type":"String"},)";
        used += "${" + std::to_string(i) + '}';
    }
    declared.pop_back();
    const std::string parameters = R"({"Parameters":{)" + declared +
                                   R"(},"Resources":{},"DeviceConfiguration":{"v":{"Fn::Sub":")" +
                                   used + R"("}}})";
    const std::string wide_character = "\xF0\x9F\x94\x91";  // a key, four bytes
    std::string wide = R"({"Resources":{},"DeviceConfiguration":{"v":")";
    for (int i = 0; i < 10'190; ++i)
        wide += wide_character;
    return {
        {"references in a Join",
         filled_with(
             configuration + R"({"Fn::Join":["",[)", repeated(R"({"Ref":"P"},)"), R"("x"]]}}})")},
        {"empty strings in a Join",
         filled_with(
             configuration + R"({"Fn::Join":["",[)", repeated(R"("",)"), R"({"Ref":"P"}]]}}})")},
        {"a list to select from",
         filled_with(
             configuration + R"({"Fn::Select":[{"Ref":"P"},[)", repeated(R"("",)"), R"("x"]]}}})")},
        {"parameters in a Sub",
         filled_with(configuration + R"({"Fn::Sub":")", repeated("${P}a"), R"("}}})")},
        {"bindings in a Sub",
         filled_with(configuration + R"({"Fn::Sub":["${0}${0}",{)",
                     numbered(R"(")", R"(":"",)"),
                     R"("x":""}]}}})")},
        {"bound names in a Sub",
         filled_with(
             configuration + R"({"Fn::Sub":[")", repeated("${x}"), R"(",{"x":{"Ref":"P"}}]}}})")},
        {"parts of a Split",
         filled_with(configuration + R"({"Fn::Join":["-",{"Fn::Split":[",",")",
                     repeated(","),
                     R"("]}]}}})")},
        {"functions as deep as they go",
         filled_with(
             configuration + R"({"Fn::Join":["",[)",
             [&](std::size_t) { return deep + ","; },
             R"("x"]]}}})")},
        {"a doubling chain of Joins", configuration + join_chain + "}}"},
        {"keys of a mapping",
         filled_with(R"({"Mappings":{"M":{"a":{)",
                     numbered(R"(")", R"(":"",)"),
                     R"("x":""}}},"Resources":{}})")},
        {"mappings",
         filled_with(R"({"Mappings":{)",
                     numbered(R"(")", R"(":{"":{"":""}},)"),
                     R"("x":{}},"Resources":{}})")},
        {"parameters", parameters},
        {"policies",
         filled_with(
             R"({"Resources":{)",
             numbered(R"(")", R"(":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"a"}},)"),
             R"("x":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"a"}}}})")},
        {"entries of DeviceConfiguration",
         filled_with(R"({"Resources":{},"DeviceConfiguration":{)",
                     numbered(R"(")", R"(":"",)"),
                     R"("x":""}})")},
        {"functions in a policy document",
         filled_with(
             p + R"("Resources":{"p":{"Type":"AWS::IoT::Policy","Properties":{"PolicyDocument":{"a":[)",
             repeated(R"({"Ref":"P"},)"),
             R"(""]}}}}})")},
        {"a long delimiter",
         filled_with(configuration + R"({"Fn::Join":[")" + std::string(100, '-') + R"(",[)",
                     repeated(R"("",)"),
                     R"(""]]}}})")},
        {"a mapping found again and again",
         filled_with(R"({"Mappings":{"M":{"a":{"b":")" + std::string(5'000, 'x') +
                         R"("}}},"Resources":{},"DeviceConfiguration":{)",
                     numbered(R"(")", R"(":{"Fn::FindInMap":["M","a","b"]},)"),
                     R"("x":""}})")},
        {"characters of four bytes", wide + "\"}}"},
        {"brackets", std::string(10'240, '[')},
    };
}

}  // namespace hatchery::templates
