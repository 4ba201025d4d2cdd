#include "templates/check_file.h"

#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

namespace hatchery::templates {
namespace {

Kind kind_of(const std::string& name) {
    return check_file(good_template(name), std::nullopt).bodies.at(0).kind;
}

TEST(CheckFile, TellsTheKindFromTheTemplate) {
    EXPECT_EQ(kind_of("jitp_sensor"), Kind::Jitp);
    EXPECT_EQ(kind_of("claim_everything"), Kind::Claim);
    EXPECT_EQ(kind_of("claim_no_policy"), Kind::Claim);
    EXPECT_EQ(kind_of("bulk_csr"), Kind::Bulk);
    EXPECT_EQ(kind_of("bulk_certificate_pem"), Kind::Bulk);
    EXPECT_EQ(check_file("{", std::nullopt).bodies.at(0).kind, Kind::Claim);
    EXPECT_EQ(check_file(good_template("jitp_sensor"), Kind::Bulk).bodies.at(0).kind, Kind::Bulk);
}

TEST(CheckFile, PlacesFindingsInsideAnInputDocument) {
    const std::string text =
        "{\n  \"templateName\": \"t\",\n  \"templateBody\": "
        R"("{\n  \"Resources\": {\"\u00e4\": {\"Type\": \"AWS::IoT::Thin\"}}}")"
        ",\n  \"type\": \"JITP\"\n}\n";
    const FileFindings findings = check_file(text, std::nullopt);
    EXPECT_EQ(findings.bodies.at(0).kind, Kind::Jitp);
    EXPECT_EQ(render(findings.diagnostics()),
              "3:25-3:38 warning T405 /Resources\n"
              "    expected a resource of type AWS::IoT::Certificate, found none\n"
              "3:64-3:82 error T301 /Resources/ä/Type\n"
              "    expected AWS::IoT::Thing, AWS::IoT::Certificate or AWS::IoT::Policy, found "
              "\"AWS::IoT::Thin\"\n"
              "    did you mean \"AWS::IoT::Thing\"?\n");
    const std::size_t at = text.find("\\\"AWS::IoT::Thin");
    EXPECT_EQ(findings.diagnostics().at(1).range.column, at - text.rfind('\n', at));
}

TEST(CheckFile, ATemplateBodyIsAStringNotAnObject) {
    const FileFindings findings = check_file(
        R"({"templateBody": {"Resources": {}}, "type": "FLEET_PROVISIONING"})", std::nullopt);
    EXPECT_EQ(findings.bodies.at(0).kind, Kind::Claim);
    EXPECT_EQ(render(findings.diagnostics()),
              "1:18-1:35 error T006 (document)\n"
              "    expected a string of JSON as templateBody, found an object\n");
    EXPECT_EQ(findings.bodies.at(0).pointer, "/templateBody");
}

TEST(CheckFile, AGoodInputDocumentHasNoFinding) {
    EXPECT_TRUE(
        check_file(
            R"({"templateBody": "{\"Resources\": {\"c\": {\"Type\": \"AWS::IoT::Certificate\", \"Properties\": {\"CertificateId\": {\"Ref\": \"AWS::IoT::Certificate::Id\"}}}}}"})",
            std::nullopt)
            .diagnostics()
            .empty());
}

TEST(CheckFile, AHugeFileIsOneFinding) {
    const FileFindings findings = check_file(std::string(1'100'000, ' '), std::nullopt);
    ASSERT_EQ(findings.diagnostics().size(), 1U);
    EXPECT_EQ(findings.diagnostics()[0].code, "T002");
}

}  // namespace
}  // namespace hatchery::templates
