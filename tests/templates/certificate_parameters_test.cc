#include "templates/template.h"

#include <gtest/gtest.h>

namespace hatchery::templates {
namespace {

const std::string kId(64, 'a');

CertificateFacts facts() {
    return {kId,
            "10525622389124227206",
            {{"2.5.4.6", "DE"},
             {"2.5.4.8", "Bayern"},
             {"2.5.4.7", "Bonn"},
             {"2.5.4.10", "AnyCompany"},
             {"2.5.4.11", "hall-1"},
             {"2.5.4.11", "hall-2"},
             {"2.5.4.46", "meter"},
             {"2.5.4.3", "HW-1"}}};
}

TEST(CertificateParameters, TakesEachAttributeAndTheFirstOfARepeatedOne) {
    EXPECT_EQ(certificate_parameters(facts(), SerialNumberSource::Auto),
              (Parameters{
                  {"AWS::IoT::Certificate::CommonName", "HW-1"},
                  {"AWS::IoT::Certificate::Country", "DE"},
                  {"AWS::IoT::Certificate::DistinguishedNameQualifier", "meter"},
                  {"AWS::IoT::Certificate::Id", kId},
                  {"AWS::IoT::Certificate::Organization", "AnyCompany"},
                  {"AWS::IoT::Certificate::OrganizationalUnit", "hall-1"},
                  {"AWS::IoT::Certificate::SerialNumber", "10525622389124227206"},
                  {"AWS::IoT::Certificate::StateName", "Bayern"},
              }));
}

TEST(CertificateParameters, LeavesOutWhatTheSubjectLacks) {
    EXPECT_EQ(certificate_parameters({kId, "7", {}}, SerialNumberSource::Auto),
              (Parameters{{"AWS::IoT::Certificate::Id", kId},
                          {"AWS::IoT::Certificate::SerialNumber", "7"}}));
}

TEST(CertificateParameters, SerialNumberFollowsItsSource) {
    constexpr std::string_view kName = "AWS::IoT::Certificate::SerialNumber";
    const auto of = [&](const CertificateFacts& given, SerialNumberSource source) {
        const Parameters parameters = certificate_parameters(given, source);
        const auto found = parameters.find(kName);
        return found == parameters.end() ? std::string("absent") : found->second;
    };
    CertificateFacts named = facts();
    named.subject.emplace_back("2.5.4.5", "SN-7");
    EXPECT_EQ(of(facts(), SerialNumberSource::Auto), "10525622389124227206");
    EXPECT_EQ(of(facts(), SerialNumberSource::Certificate), "10525622389124227206");
    EXPECT_EQ(of(facts(), SerialNumberSource::Subject), "absent");
    EXPECT_EQ(of(named, SerialNumberSource::Auto), "SN-7");
    EXPECT_EQ(of(named, SerialNumberSource::Certificate), "10525622389124227206");
    EXPECT_EQ(of(named, SerialNumberSource::Subject), "SN-7");
}

TEST(CertificateParameters, EscapesSpecialCharactersAsAwsDoes) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"testThingC=US", "testThingC\\=US"},
        {"a,b+c\"d\\e<f>g;h", "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"},
        {" lead", "\\ lead"},
        {"#lead", "\\#lead"},
        {"a #b", "a #b"},
        {"trail ", "trail\\ "},
        {" ", "\\ "},
        {std::string("a\0b", 3), "a\\00b"},
        {"Münch", "Münch"},
        {"plain-1", "plain-1"},
    };
    for (const auto& [value, expected] : cases) {
        const Parameters parameters =
            certificate_parameters({kId, "1", {{"2.5.4.3", value}}}, SerialNumberSource::Auto);
        EXPECT_EQ(parameters.at("AWS::IoT::Certificate::CommonName"), expected);
    }
}

TEST(CertificateParameters, SerialNumberSourcesHaveThreeNames) {
    EXPECT_EQ(*parse_serial_number_source("auto"), SerialNumberSource::Auto);
    EXPECT_EQ(*parse_serial_number_source("certificate"), SerialNumberSource::Certificate);
    EXPECT_EQ(*parse_serial_number_source("subject"), SerialNumberSource::Subject);
    const auto refused = parse_serial_number_source("Auto");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::InvalidRequest);
    EXPECT_EQ(refused.error().message,
              "expected \"auto\", \"certificate\" or \"subject\", found \"Auto\"");
}

}  // namespace
}  // namespace hatchery::templates
