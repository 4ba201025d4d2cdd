// What holds for every template: formatting changes nothing, resolving is a function of its
// arguments, and what compiles never breaks resolve.
#include "templates/json_document.h"
#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace hatchery::templates {
namespace {

Kind kind_of(const std::string& name) {
    if (name.starts_with("jitp")) return Kind::Jitp;
    return name.starts_with("bulk") ? Kind::Bulk : Kind::Claim;
}

const std::vector<std::string> kNames = {"jitp_sensor",
                                         "claim_everything",
                                         "claim_no_policy",
                                         "bulk_csr",
                                         "bulk_certificate_pem",
                                         "bulk_thing_only"};

Parameters every_parameter() {
    Parameters parameters = certificate_parameters(
        {std::string(64, 'c'), "42", {{"2.5.4.3", "cn"}, {"2.5.4.46", "dn"}, {"2.5.4.10", "o"}}},
        SerialNumberSource::Auto);
    for (const char* name :
         {"SerialNumber", "ThingName", "CSR", "Name", "Certificate", "Authority"}) {
        parameters.emplace(name, std::string("v-") + name);
    }
    return parameters;
}

using Random = std::mt19937;

void append_space(std::string& out, Random& random) {
    static constexpr std::string_view kSpaces = " \n\t\r";
    for (auto n = random() % 3; n > 0; --n)
        out += kSpaces[random() % kSpaces.size()];
}

/// `value` with random white space, and members in random order except below a policy document,
/// whose text they are.
void append_shuffled(std::string& out, json::Value value, Random& random, bool may_reorder) {
    append_space(out, random);
    if (!value.is(json::Type::Object) && !value.is(json::Type::List)) {
        out += json::compact(value);
        append_space(out, random);
        return;
    }
    std::vector<json::Value> children;
    for (const json::Value child : value)
        children.push_back(child);
    const bool is_object = value.is(json::Type::Object);
    const bool keeps_order = value.key() == "PolicyDocument";
    const bool reorders_below = may_reorder && value.key() != "PolicyDocument";
    if (is_object && may_reorder && !keeps_order) {
        std::shuffle(children.begin(), children.end(), random);
    }
    out += is_object ? '{' : '[';
    for (std::size_t i = 0; i < children.size(); ++i) {
        if (i > 0) out += ',';
        if (is_object) {
            append_space(out, random);
            json::append_quoted(out, children[i].key());
            append_space(out, random);
            out += ':';
        }
        append_shuffled(out, children[i], random, reorders_below);
    }
    out += is_object ? '}' : ']';
    append_space(out, random);
}

TEST(Properties, FormattingNeverChangesThePlan) {
    Random random(20261122);
    for (const std::string& name : kNames) {
        const std::string text = good_template(name);
        const Compiled original = compile(text, kind_of(name));
        ASSERT_TRUE(original.value) << name;
        const auto plan = resolve(*original.value, every_parameter());
        ASSERT_TRUE(plan) << name << " " << to_string(plan.error());
        const auto document = *json::Document::parse(text);
        for (int i = 0; i < 50; ++i) {
            std::string shuffled;
            append_shuffled(shuffled, document->root(), random, true);
            const Compiled again = compile(shuffled, kind_of(name));
            ASSERT_TRUE(again.value) << shuffled << render(again.diagnostics);
            EXPECT_EQ(render(*resolve(*again.value, every_parameter())), render(*plan));
        }
    }
}

TEST(Properties, ResolvingIsDeterministicAndIndependentOfTheCompiledCopy) {
    for (const std::string& name : kNames) {
        const Compiled first = compile(good_template(name), kind_of(name));
        ASSERT_TRUE(first.value);
        const Template copy = *first.value;
        const std::string plan = render(*resolve(*first.value, every_parameter()));
        for (int i = 0; i < 10; ++i)
            EXPECT_EQ(render(*resolve(copy, every_parameter())), plan);
    }
}

/// Deletes, doubles or swaps a piece of `text`.
std::string mutated(std::string text, Random& random) {
    for (auto n = 1 + random() % 3; n > 0 && !text.empty(); --n) {
        const std::size_t at = random() % text.size();
        const std::size_t length = std::min<std::size_t>(1 + random() % 40, text.size() - at);
        const std::string piece = text.substr(at, length);
        switch (random() % 3) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(random() % text.size(), piece);
                break;
            default:
                text[at] = "\"{}[],:0a\\$ "[random() % 12];
        }
    }
    return text;
}

TEST(Properties, WhatCompilesResolvesOrSaysWhereItFails) {
    Random random(7);
    int compiled_count = 0;
    for (const std::string& name : kNames) {
        const std::string text = good_template(name);
        for (int i = 0; i < 2000; ++i) {
            const std::string broken = mutated(text, random);
            const Compiled compiled = compile(broken, kind_of(name));
            const bool has_error = std::any_of(
                compiled.diagnostics.begin(),
                compiled.diagnostics.end(),
                [](const Diagnostic& found) { return found.severity == Severity::Error; });
            ASSERT_EQ(compiled.value.has_value(), !has_error) << broken;
            if (!compiled.value) continue;
            ++compiled_count;
            const auto plan = resolve(*compiled.value, every_parameter());
            if (plan) continue;
            EXPECT_EQ(plan.error().code, Code::InvalidRequest) << broken;
            EXPECT_NE(plan.error().where, "") << broken;
        }
    }
    EXPECT_GT(compiled_count, 100);
}

/// One of `values`.
std::string any_of(Random& random, std::initializer_list<const char*> values) {
    return values.begin()[random() % values.size()];
}

/// A template without parameters: what it makes is known when it is compiled.
std::string constant_template(Random& random) {
    // Mostly what the place takes: a template with eight places would else hardly ever be legal.
    const auto text = [&](const char* legal) {
        if (random() % 6 != 0) return std::string(legal);
        return any_of(random,
                      {R"("plain")",
                       R"("with space")",
                       R"("")",
                       R"({"Fn::Join": ["-", ["a", "b"]]})",
                       R"({"Fn::Join": [" ", ["a", "b"]]})",
                       R"({"Fn::Select": [1, {"Fn::Split": ["-", "a-"]}]})",
                       R"({"Fn::Select": [1, {"Fn::Split": ["-", "a"]}]})",
                       R"({"Fn::FindInMap": ["M", "a", "x"]})",
                       R"({"Fn::FindInMap": ["M", "a", "z"]})",
                       R"({"Fn::Sub": ["${v}${!w}", {"v": "a"}]})",
                       R"({"Fn::Sub": ["${v}", {"v": "ACTIVE"}]})",
                       R"("ACTIVE")",
                       R"("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")"});
    };
    const std::string name = R"("plain")";
    const std::string id = '"' + std::string(64, 'a') + '"';
    const auto member = [&](const char* key, const char* legal) {
        if (random() % 3 == 0) return std::string();
        return ", \"" + std::string(key) + "\": " + text(legal);
    };
    return R"({"Mappings": {"M": {"a": {"x": "y"}}}, "Resources": {"t": {"Type": "AWS::IoT::Thing",
        "Properties": {"ThingName": )" +
           text(name.c_str()) + member("ThingTypeName", name.c_str()) +
           member("BillingGroup", name.c_str()) + R"(, "ThingGroups": [)" + text(name.c_str()) +
           R"(], "AttributePayload": {"v": )" + text(name.c_str()) +
           R"(}}}, "c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": )" +
           text(id.c_str()) + member("Status", R"("ACTIVE")") +
           member("ThingPrincipalType", R"("EXCLUSIVE_THING")") +
           R"(}}, "p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": )" +
           text(name.c_str()) + member("PolicyDocument", R"({"Fn::Sub": "{ }"})") +
           R"(}}}, "DeviceConfiguration": {"v": )" + text(name.c_str()) + "}}";
}

// A template whose values are all known is refused when it is created, not at its first device.
TEST(Properties, WhatIsKnownIsNeverAcceptedAndThenFoundMalformed) {
    Random random(11);
    int accepted = 0;
    for (int i = 0; i < 5'000; ++i) {
        const std::string text = constant_template(random);
        const Compiled compiled = compile(text, Kind::Claim);
        if (!compiled.value) continue;
        ++accepted;
        const auto plan = resolve(*compiled.value, {});
        EXPECT_TRUE(plan) << text << to_string(plan.error());
    }
    EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace hatchery::templates
