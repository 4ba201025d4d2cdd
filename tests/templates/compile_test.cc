#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace hatchery::templates {
namespace {

namespace fs = std::filesystem;

Kind kind_of(const fs::path& path) {
    const std::string name = path.stem().string();
    if (name.starts_with("jitp_")) return Kind::Jitp;
    return name.starts_with("bulk_") ? Kind::Bulk : Kind::Claim;
}

std::vector<fs::path> files_of(const std::string& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(data_path(folder))) {
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string filled(std::size_t characters, const std::string& character) {
    const std::string head = R"({"Resources": {}, "x": ")";
    const std::string tail = R"("})";
    std::string text = head;
    for (std::size_t i = head.size() + tail.size(); i < characters; ++i)
        text += character;
    return text + tail;
}

TEST(Compile, AcceptsEveryGoodTemplate) {
    const auto files = files_of("good");
    ASSERT_GE(files.size(), 6U);
    for (const fs::path& file : files) {
        const Compiled compiled = compile(read_text(file), kind_of(file));
        EXPECT_TRUE(compiled.value) << file << "\n" << render(compiled.diagnostics);
    }
}

// Each text beside its findings: every problem in one run, in the order of the text.
TEST(Compile, FindsWhatTheGoldenFilesSay) {
    const auto files = files_of("diagnostics");
    ASSERT_GE(files.size(), 14U);
    for (const fs::path& file : files) {
        fs::path golden = file;
        golden.replace_extension(".txt");
        const Compiled compiled = compile(read_text(file), kind_of(file));
        EXPECT_EQ(render(compiled.diagnostics), read_text(golden)) << file;
        const bool has_error = std::any_of(
            compiled.diagnostics.begin(), compiled.diagnostics.end(), [](const Diagnostic& found) {
                return found.severity == Severity::Error;
            });
        EXPECT_EQ(compiled.value.has_value(), !has_error) << file;
    }
}

TEST(Compile, ExplainsEveryCodeThatItGives) {
    std::set<std::string> codes;
    for (const fs::path& file : files_of("diagnostics")) {
        for (const Diagnostic& found : compile(read_text(file), kind_of(file)).diagnostics) {
            codes.insert(found.code);
        }
    }
    EXPECT_GE(codes.size(), 30U);
    for (const std::string& code : codes)
        EXPECT_TRUE(explain(code)) << code;
    EXPECT_FALSE(explain("T999"));
    EXPECT_FALSE(explain(""));
}

TEST(Compile, TakesTenThousandTwoHundredAndFortyCharactersAndNoMore) {
    EXPECT_TRUE(compile(filled(10'240, "x"), Kind::Claim).value);
    const std::string wide = filled(10'240, "ä");
    EXPECT_GT(wide.size(), 20'000U);
    EXPECT_TRUE(compile(wide, Kind::Claim).value);
    for (const char* character : {"x", "ä"}) {
        const Compiled compiled = compile(filled(10'241, character), Kind::Claim);
        ASSERT_EQ(compiled.diagnostics.size(), 1U);
        EXPECT_EQ(compiled.diagnostics[0].code, "T002");
        EXPECT_EQ(compiled.diagnostics[0].message,
                  "expected a template body of at most 10240 characters, found 10241");
        EXPECT_FALSE(compiled.value);
    }
}

TEST(Compile, RefusesUndeclaredReferencesEvenOfTheServiceInBulk) {
    const std::string text = good_template("claim_no_policy");
    EXPECT_TRUE(compile(text, Kind::Claim).value);
    EXPECT_TRUE(compile(text, Kind::Jitp).value);
    const Compiled bulk = compile(text, Kind::Bulk);
    ASSERT_EQ(bulk.diagnostics.size(), 1U);
    EXPECT_EQ(bulk.diagnostics[0].message,
              "Cannot resolve reference value: AWS::IoT::Certificate::Id; expected it to be "
              "declared in Parameters, found no such declaration");
}

TEST(Compile, KnowsWhatItDeclares) {
    const Compiled claim = compile(good_template("claim_everything"), Kind::Claim);
    ASSERT_TRUE(claim.value);
    EXPECT_TRUE(claim.value->declares("SerialNumber"));
    EXPECT_TRUE(claim.value->declares("AWS::IoT::Certificate::Id"));
    EXPECT_FALSE(claim.value->declares("AWS::IoT::Certificate::CommonName"));
    EXPECT_FALSE(claim.value->declares("serialnumber"));
    const Compiled bulk = compile(good_template("bulk_csr"), Kind::Bulk);
    ASSERT_TRUE(bulk.value);
    EXPECT_FALSE(bulk.value->declares("AWS::IoT::Certificate::Id"));
}

TEST(Compile, SaysTheFirstErrorAsAwsDoes) {
    struct Case {
        const char* text;
        const char* message;
        const char* where;
    };
    const std::vector<Case> cases = {
        {"{\"Resources\": ",
         "Invalid registration template. Template format error: JSON not well-formed with location "
         "of [line 1, column 15]: expected a JSON value, found the end of the text (is a closing "
         "bracket missing?)",
         "1:15"},
        {R"({"Resources": {"p": {"Type": "AWS::IoT::Policy", "Properties": {}}}})",
         "Invalid registration template. Neither policyName nor policyDocument is present in the "
         "Template.",
         "/Resources/p (1:16)"},
        {R"({"Resources": {"t": {"Type": "AWS::IoT::Thing",
            "Properties": {"ThingName": {"Ref": "AWS::Region"}}}}})",
         "Invalid registration template. Cannot resolve reference value: AWS::Region; expected a "
         "parameter, found a pseudo-parameter of CloudFormation, which does not exist in "
         "provisioning templates (write the value itself)",
         "/Resources/t/Properties/ThingName/Ref (2:49)"},
    };
    for (const Case& c : cases) {
        const Error error = to_error(compile(c.text, Kind::Claim));
        EXPECT_EQ(error.code, Code::InvalidRequest);
        EXPECT_EQ(error.message, c.message);
        EXPECT_EQ(error.where, c.where);
    }
}

TEST(Compile, TakesAStatusInAnyCaseAndRefusesOtherWords) {
    const auto compiled = [](const std::string& status) {
        return compile(R"({"Resources": {"c": {"Type": "AWS::IoT::Certificate", "Properties": {
            "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": ")" +
                           status + "\"}}}}",
                       Kind::Claim)
            .value.has_value();
    };
    EXPECT_TRUE(compiled("Active"));
    EXPECT_TRUE(compiled("ACTIVE"));
    EXPECT_TRUE(compiled("INACTIVE"));
    EXPECT_TRUE(compiled("inactive"));
    EXPECT_FALSE(compiled("PENDING_ACTIVATION"));
    EXPECT_FALSE(compiled("REVOKED"));
    EXPECT_FALSE(compiled(""));
}

TEST(Compile, KeepsAtMostAHundredFindings) {
    std::string text = R"({"Resources": {"t": 1)";
    for (int i = 0; i < 500; ++i)
        text += ",\"r" + std::to_string(i) + "\": 1";
    const Compiled compiled = compile(text + "}}", Kind::Claim);
    ASSERT_EQ(compiled.diagnostics.size(), 101U);
    EXPECT_EQ(std::count_if(compiled.diagnostics.begin(),
                            compiled.diagnostics.end(),
                            [](const Diagnostic& found) { return found.code == "T005"; }),
              1);
}

TEST(Compile, RefusesNestingBeyondItsLimits) {
    const Compiled brackets = compile(std::string(65, '['), Kind::Claim);
    ASSERT_EQ(brackets.diagnostics.size(), 1U);
    EXPECT_EQ(brackets.diagnostics[0].code, "T003");

    const auto nested = [](int depth) {
        std::string value = "\"x\"";
        for (int i = 0; i < depth; ++i)
            value = R"({"Fn::Join": ["", [)" + value + "]]}";
        return compile(R"({"Parameters": {"P": {"Type": "String"}}, "Resources": {"t": {"Type":
            "AWS::IoT::Thing", "Properties": {"ThingName": )" +
                           value + "}}}}",
                       Kind::Bulk);
    };
    EXPECT_TRUE(nested(16).value);
    const Compiled deep = nested(17);
    EXPECT_FALSE(deep.value);
    const auto is_depth = [](const Diagnostic& found) { return found.code == "T206"; };
    EXPECT_EQ(std::count_if(deep.diagnostics.begin(), deep.diagnostics.end(), is_depth), 1);
}

TEST(Compile, KindsHaveNames) {
    EXPECT_EQ(to_string(Kind::Jitp), "jitp");
    EXPECT_EQ(to_string(Kind::Claim), "claim");
    EXPECT_EQ(to_string(Kind::Bulk), "bulk");
}

/// The codes that `text` gives as each kind, in order.
std::string codes_as(const std::string& text, Kind kind) {
    std::string out;
    for (const Diagnostic& found : compile(text, kind).diagnostics)
        out += (out.empty() ? "" : " ") + found.code;
    return out;
}

// What the three ways of provisioning make of one text.
TEST(Compile, FirstConnectClaimAndBulkDiffer) {
    struct Case {
        std::string text;
        const char* jitp;
        const char* claim;
        const char* bulk;
    };
    const std::string id = R"("c": {"Type": "AWS::IoT::Certificate",
        "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}})";
    const std::string named = R"("t": {"Type": "AWS::IoT::Thing",
        "Properties": {"ThingName": {"Ref": "Name"}}})";
    const auto of = [](const std::string& parameters, const std::string& resources) {
        return R"({"Parameters": {)" + parameters + R"(}, "Resources": {)" + resources + "}}";
    };
    const std::vector<Case> cases = {
        {of("", id), "", "", "T201"},
        {of(R"("Name": {"Type": "String"})", named + "," + id), "T109", "", "T201"},
        {of(R"("Name": {"Type": "String", "Default": "x"})", named + "," + id), "", "", "T201"},
        {of(R"("AWS::IoT::Certificate::Country": {"Type": "String"})", id),
         "T108 T107",
         "T108 T107",
         "T107 T201"},
        {of(R"("AWS::IoT::Certificate::Id": {"Type": "String"})", id), "", "", ""},
        {of(R"("Name": {"Type": "String"})",
            R"("c": {"Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateSigningRequest": {"Ref": "Name"}}})"),
         "T109 T306",
         "T306",
         ""},
        {of(R"("Name": {"Type": "String"})",
            R"("c": {"Type": "AWS::IoT::Certificate", "Properties": {
                "CertificatePem": {"Ref": "Name"}, "CACertificatePem": {"Ref": "Name"}}})"),
         "T109 T306",
         "T306",
         ""},
        {of(R"("Name": {"Type": "String"})", named), "T109 T405", "T405", ""},
        {R"({"Resources": {)" + id + R"(}, "DeviceConfiguration": {"a": "b"}})",
         "T111",
         "",
         "T201"},
        {R"({"Resources": {}})", "T406", "T406", "T406"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(codes_as(c.text, Kind::Jitp), c.jitp) << c.text;
        EXPECT_EQ(codes_as(c.text, Kind::Claim), c.claim) << c.text;
        EXPECT_EQ(codes_as(c.text, Kind::Bulk), c.bulk) << c.text;
    }
}

// What the thing's name is made of decides whether two devices may get one thing.
TEST(Compile, WarnsOfThingNamesThatRepeatOrHoldOtherCharacters) {
    const auto of = [](const std::string& name) {
        std::string parameters;
        for (const char* field : {"SerialNumber", "CommonName", "Organization"}) {
            parameters += (parameters.empty() ? "\"" : ", \"") +
                          std::string("AWS::IoT::Certificate::") + field +
                          R"(": {"Type": "String", "Default": "x"})";
        }
        const std::string codes =
            codes_as(R"({"Parameters": {)" + parameters +
                         R"(}, "Resources": {"t": {"Type": "AWS::IoT::Thing", "Properties":
                            {"ThingName": )" +
                         name + "}}}}",
                     Kind::Jitp);
        return codes.find("T401") != std::string::npos   ? "T401"
               : codes.find("T407") != std::string::npos ? "T407"
                                                         : "";
    };
    EXPECT_STREQ(of(R"("constant")"), "T401");
    EXPECT_STREQ(of(R"({"Ref": "AWS::IoT::Certificate::CommonName"})"), "T401");
    EXPECT_STREQ(
        of(R"({"Fn::Sub": "${AWS::IoT::Certificate::CommonName}-${AWS::IoT::Certificate::Organization}"})"),
        "T401");
    EXPECT_STREQ(
        of(R"({"Fn::Sub": "${AWS::IoT::Certificate::SerialNumber}-${AWS::IoT::Certificate::Organization}"})"),
        "T407");
    EXPECT_STREQ(of(R"({"Ref": "AWS::IoT::Certificate::SerialNumber"})"), "");
    EXPECT_STREQ(of(R"({"Ref": "AWS::IoT::Certificate::Id"})"), "");
}

}  // namespace
}  // namespace hatchery::templates
