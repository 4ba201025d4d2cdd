#include "provisioning/api/member_rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>

namespace hatchery::api {
namespace {

using nlohmann::json;

enum class MemberType { Text, Flag, Integer, Object, List };

/// `others` are allowed beside letters and digits; "" = any character, "^" = printable ASCII.
struct MemberRule {
    MemberType type = MemberType::Text;
    std::size_t shortest = 0, longest = 1U << 20;  ///< characters, or items of a list
    std::string_view others = {};
    std::string_view pattern = {};  ///< for the message
    std::string_view values = {};   ///< "A|B": one of these
    bool takes_unicode = false;     ///< letters and digits of every alphabet
};

constexpr MemberRule text_rule(std::size_t shortest, std::size_t longest) {
    return {MemberType::Text, shortest, longest};
}
constexpr MemberRule one_of(std::string_view values) {
    return {MemberType::Text, 0, 1U << 20, {}, {}, values};
}
constexpr MemberRule list_rule(std::size_t shortest, std::size_t longest) {
    return {MemberType::List, shortest, longest};
}
constexpr MemberRule kText{}, kFlag{MemberType::Flag}, kInteger{MemberType::Integer},
    kObject{MemberType::Object}, kList{MemberType::List};
constexpr MemberRule kRegistryName{MemberType::Text, 1, 128, ":_-", "[a-zA-Z0-9:_-]"};
constexpr MemberRule kPolicyName{MemberType::Text, 1, 128, "_+=,.@-", "[a-zA-Z0-9_+=,.@-]"};
constexpr MemberRule kTemplateName{MemberType::Text, 1, 36, "_-", "[a-zA-Z0-9_-]"};
constexpr MemberRule kAttributeName{MemberType::Text, 1, 128, "_.,@/:#-", "[a-zA-Z0-9_.,@/:#-]"};
constexpr MemberRule kAttributeValue{
    MemberType::Text, 0, 800, "_.,@/:#=[]-", "[a-zA-Z0-9_.,@/:#=[]-]"};
constexpr MemberRule kDescription{MemberType::Text, 0, 2028, "^", "printable ASCII"};
constexpr MemberRule kDayOfMonth = one_of(
    "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24|25|26|27|28|29|30|31|LAST");
constexpr MemberRule kPem = text_rule(1, 65536);
constexpr MemberRule kRoleArn = text_rule(20, 2048);
constexpr MemberRule kTemplateBody = text_rule(0, 10240);
constexpr MemberRule kTagKey{
    MemberType::Text, 1, 128, "_.:/=+-@ ", "letters, digits, spaces and _.:/=+-@", {}, true};
constexpr MemberRule kCertificateId{MemberType::Text, 64, 64, "", "[0-9a-fA-F]"};
constexpr MemberRule kProse{MemberType::Text, 0, 2028, "^", "no control characters", {}, true};
constexpr MemberRule kJobId{MemberType::Text, 1, 64, "_-", "[a-zA-Z0-9_-]"};
constexpr MemberRule kTargetSelection = one_of("CONTINUOUS|SNAPSHOT");
constexpr MemberRule kFieldType = one_of("Number|String|Boolean");
constexpr MemberRule kCertificateStatus =
    one_of("ACTIVE|INACTIVE|REVOKED|PENDING_TRANSFER|REGISTER_INACTIVE|PENDING_ACTIVATION");

using Rules = std::unordered_map<std::string_view, MemberRule>;

/// Labels, query parameters and headers. Flags, integers, tokens and statuses are read as such by
/// the handlers that want them.
const Rules& outer_rules() {
    static const Rules rules{
        {"attributeName", kAttributeName},
        {"attributeValue", kAttributeValue},
        {"billingGroupName", kRegistryName},
        {"endpointType", text_rule(0, 128)},
        {"findingId", {MemberType::Text, 1, 128, "_-", "[a-zA-Z0-9_-]"}},
        {"indexName", kRegistryName},
        {"jobId", kJobId},
        {"marker", text_rule(0, 1024)},
        {"namePrefixFilter", kRegistryName},
        {"namespaceId", kJobId},
        {"parentGroup", kRegistryName},
        {"policyName", kPolicyName},
        {"reportType", one_of("ERRORS|RESULTS")},
        {"ruleName", {MemberType::Text, 1, 128, "_", "[a-zA-Z0-9_]"}},
        {"scheduledAuditName", {MemberType::Text, 1, 128, "_-", "[a-zA-Z0-9_-]"}},
        {"targetAwsAccount", {MemberType::Text, 12, 12, "", "[0-9]"}},
        {"taskId", {MemberType::Text, 1, 40, "-", "[a-zA-Z0-9-]"}},
        {"targetSelection", kTargetSelection},
        {"templateName", kTemplateName},
        {"thingGroupId", {MemberType::Text, 1, 128, "-", "[a-zA-Z0-9-]"}},
        {"thingGroupName", kRegistryName},
        {"thingName", kRegistryName},
        {"thingPrincipalType", one_of("EXCLUSIVE_THING|NON_EXCLUSIVE_THING")},
        {"thingTypeName", kRegistryName},
        {"x-amzn-iot-policy", kPolicyName},
    };
    return rules;
}

/// Body members by their path; "[]" is any item of a list, "{}" any value of a map.
const Rules& body_rules() {
    static const Rules rules{
        {"/actions", list_rule(0, 10)},
        {"/actions/[]", kObject},
        {"/ascendingOrder", kFlag},
        {"/attributePayload", kObject},
        {"/attributePayload/attributes", kObject},
        {"/attributePayload/merge", kFlag},
        {"/auditCheckConfigurations", kObject},
        {"/auditNotificationTargetConfigurations", kObject},
        {"/auditNotificationTargetConfigurations/SNS", kObject},
        {"/auditNotificationTargetConfigurations/SNS/enabled", kFlag},
        {"/auditNotificationTargetConfigurations/SNS/roleArn", kRoleArn},
        {"/auditNotificationTargetConfigurations/SNS/targetArn", text_rule(0, 2048)},
        {"/authInfos", list_rule(1, 10)},
        {"/authInfos/[]", kObject},
        {"/authInfos/[]/actionType", one_of("PUBLISH|SUBSCRIBE|RECEIVE|CONNECT")},
        {"/authInfos/[]/resources", list_rule(0, 100)},
        {"/authInfos/[]/resources/[]", text_rule(0, 2048)},
        {"/awsIotSqlVersion", kText},
        {"/billingGroupArn", kText},
        {"/billingGroupName", kRegistryName},
        {"/billingGroupProperties", kObject},
        {"/billingGroupProperties/billingGroupDescription", kDescription},
        {"/caCertificate", kPem},
        {"/caCertificatePem", kPem},
        {"/certificateMode", one_of("DEFAULT|SNI_ONLY")},
        {"/certificatePem", kPem},
        {"/certificateSigningRequest", text_rule(1, 4096)},
        {"/checkName", kText},
        {"/clientRequestToken", {MemberType::Text, 1, 64, "-_", "[a-zA-Z0-9_-]"}},
        {"/cognitoIdentityPoolId", kText},
        {"/dayOfMonth", kDayOfMonth},
        {"/dayOfWeek", one_of("SUN|MON|TUE|WED|THU|FRI|SAT")},
        {"/comment", kProse},
        {"/defaultVersionId", kInteger},
        {"/description", text_rule(0, 500)},
        {"/document", text_rule(0, 32768)},
        {"/documentSource", text_rule(1, 1350)},
        {"/enabled", kFlag},
        {"/errorAction", kObject},
        {"/eventConfigurations", kObject},
        {"/executionNumber", kInteger},
        {"/expectedVersion", kInteger},
        {"/frequency", one_of("DAILY|WEEKLY|BIWEEKLY|MONTHLY")},
        {"/includeJobDocument", kFlag},
        {"/includeJobExecutionState", kFlag},
        {"/indexName", kRegistryName},
        {"/inputFileBucket", {MemberType::Text, 3, 256, "._-", "[a-zA-Z0-9._-]"}},
        {"/inputFileKey", {MemberType::Text, 1, 1024, "!_.*'()-/", "[a-zA-Z0-9!_.*'()-/]"}},
        {"/listSuppressedFindings", kFlag},
        {"/maxResults", kInteger},
        {"/namespaceId", kJobId},
        {"/nextToken", kText},
        {"/overrideDynamicGroups", kFlag},
        {"/parameters", kObject},
        {"/parentGroupName", kRegistryName},
        {"/policyDocument", text_rule(0, 404600)},
        {"/policyNamesToAdd", kList},
        {"/policyNamesToAdd/[]", kPolicyName},
        {"/policyNamesToSkip", kList},
        {"/policyNamesToSkip/[]", kPolicyName},
        {"/preProvisioningHook", kObject},
        {"/preProvisioningHook/payloadVersion", {MemberType::Text, 10, 32, "-", "[0-9-]"}},
        {"/preProvisioningHook/targetArn", text_rule(0, 2048)},
        {"/presignedUrlConfig", kObject},
        {"/presignedUrlConfig/expiresInSec", kInteger},
        {"/presignedUrlConfig/roleArn", kRoleArn},
        {"/principal", kText},
        {"/provisioningRoleArn", kRoleArn},
        {"/queryString", text_rule(1, 1000)},
        {"/queryVersion", kText},
        {"/reasonCode", {MemberType::Text, 0, 128, "_", "[A-Z0-9_]"}},
        {"/registrationConfig", kObject},
        {"/registrationConfig/roleArn", kRoleArn},
        {"/registrationConfig/templateBody", kTemplateBody},
        {"/registrationConfig/templateName", kTemplateName},
        {"/rejectReason", text_rule(0, 128)},
        {"/removeAutoRegistration", kFlag},
        {"/removePreProvisioningHook", kFlag},
        {"/removeThingType", kFlag},
        {"/resourceArn", kText},
        {"/resourceIdentifier", kObject},
        {"/resourceIdentifier/account", {MemberType::Text, 12, 12, "", "[0-9]"}},
        {"/resourceIdentifier/caCertificateId", kCertificateId},
        {"/resourceIdentifier/clientId", kText},
        {"/resourceIdentifier/cognitoIdentityPoolId", kText},
        {"/resourceIdentifier/deviceCertificateArn", kText},
        {"/resourceIdentifier/deviceCertificateId", kCertificateId},
        {"/resourceIdentifier/iamRoleArn", kRoleArn},
        {"/resourceIdentifier/issuerCertificateIdentifier", kObject},
        {"/resourceIdentifier/issuerCertificateIdentifier/issuerCertificateSerialNumber",
         {MemberType::Text, 0, 20, ":", "[0-9a-fA-F:]"}},
        {"/resourceIdentifier/issuerCertificateIdentifier/issuerCertificateSubject",
         {MemberType::Text, 0, 1000, "^", "printable ASCII"}},
        {"/resourceIdentifier/issuerCertificateIdentifier/issuerId",
         {MemberType::Text, 0, 64, "", "[0-9a-fA-F]"}},
        {"/resourceIdentifier/policyVersionIdentifier", kObject},
        {"/resourceIdentifier/policyVersionIdentifier/policyName", kPolicyName},
        {"/resourceIdentifier/policyVersionIdentifier/policyVersionId",
         {MemberType::Text, 1, 20, "", "[0-9]"}},
        {"/resourceIdentifier/roleAliasArn", text_rule(1, 2048)},
        {"/roleArn", kRoleArn},
        {"/ruleDisabled", kFlag},
        {"/sql", kText},
        {"/status", kCertificateStatus},
        {"/suppressIndefinitely", kFlag},
        {"/statusDetails", kObject},
        {"/stepTimeoutInMinutes", kInteger},
        {"/tagKeys", kList},
        {"/tagKeys/[]", kTagKey},
        {"/tags", kList},
        {"/tags/[]", kObject},
        {"/tags/[]/Key", kTagKey},
        {"/tags/[]/Value", text_rule(0, 256)},
        {"/target", kText},
        {"/targetCheckNames", kList},
        {"/targetCheckNames/[]", kText},
        {"/taskId", {MemberType::Text, 1, 40, "-", "[a-zA-Z0-9-]"}},
        {"/targetSelection", kTargetSelection},
        {"/targets", list_rule(1, 10000)},
        {"/targets/[]", text_rule(0, 2048)},
        {"/templateBody", kTemplateBody},
        {"/templateName", kTemplateName},
        {"/thingArn", kText},
        {"/thingGroupArn", kText},
        {"/thingGroupIndexingConfiguration", kObject},
        {"/thingGroupIndexingConfiguration/customFields", kList},
        {"/thingGroupIndexingConfiguration/customFields/[]", kObject},
        {"/thingGroupIndexingConfiguration/customFields/[]/name", kText},
        {"/thingGroupIndexingConfiguration/customFields/[]/type", kFieldType},
        {"/thingGroupIndexingConfiguration/managedFields", kList},
        {"/thingGroupIndexingConfiguration/managedFields/[]", kObject},
        {"/thingGroupIndexingConfiguration/managedFields/[]/name", kText},
        {"/thingGroupIndexingConfiguration/managedFields/[]/type", kFieldType},
        {"/thingGroupIndexingConfiguration/thingGroupIndexingMode", one_of("OFF|ON")},
        {"/thingGroupName", kRegistryName},
        {"/thingGroupProperties", kObject},
        {"/thingGroupProperties/attributePayload", kObject},
        {"/thingGroupProperties/attributePayload/attributes", kObject},
        {"/thingGroupProperties/attributePayload/merge", kFlag},
        {"/thingGroupProperties/thingGroupDescription", kDescription},
        {"/thingGroupsToAdd", kList},
        {"/thingGroupsToAdd/[]", kRegistryName},
        {"/thingGroupsToRemove", kList},
        {"/thingGroupsToRemove/[]", kRegistryName},
        {"/thingIndexingConfiguration", kObject},
        {"/thingIndexingConfiguration/customFields", kList},
        {"/thingIndexingConfiguration/customFields/[]", kObject},
        {"/thingIndexingConfiguration/customFields/[]/name", kText},
        {"/thingIndexingConfiguration/customFields/[]/type", kFieldType},
        {"/thingIndexingConfiguration/deviceDefenderIndexingMode", one_of("OFF|VIOLATIONS")},
        {"/thingIndexingConfiguration/filter", kObject},
        {"/thingIndexingConfiguration/filter/namedShadowNames", kList},
        {"/thingIndexingConfiguration/filter/namedShadowNames/[]",
         {MemberType::Text, 1, 64, ":_-", "[a-zA-Z0-9:_-]"}},
        {"/thingIndexingConfiguration/managedFields", kList},
        {"/thingIndexingConfiguration/managedFields/[]", kObject},
        {"/thingIndexingConfiguration/managedFields/[]/name", kText},
        {"/thingIndexingConfiguration/managedFields/[]/type", kFieldType},
        {"/thingIndexingConfiguration/namedShadowIndexingMode", one_of("OFF|ON")},
        {"/thingIndexingConfiguration/thingConnectivityIndexingMode", one_of("OFF|STATUS")},
        {"/thingIndexingConfiguration/thingIndexingMode",
         one_of("OFF|REGISTRY|REGISTRY_AND_SHADOW")},
        {"/thingName", kRegistryName},
        {"/thingTypeName", kRegistryName},
        {"/thingTypeProperties", kObject},
        {"/thingTypeProperties/searchableAttributes", kList},
        {"/thingTypeProperties/searchableAttributes/[]", kAttributeName},
        {"/thingTypeProperties/thingTypeDescription", kDescription},
        {"/transferMessage", text_rule(0, 128)},
        {"/type", one_of("FLEET_PROVISIONING|JITP")},
        {"/undoDeprecate", kFlag},
        // Members that other operations have with other rules.
        {"CreateJob/description", kProse},
        {"UpdateJob/description", kProse},
        {"UpdateJobExecution/status",
         one_of("QUEUED|IN_PROGRESS|SUCCEEDED|FAILED|TIMED_OUT|REJECTED|REMOVED|CANCELED")},
        {"/verificationCertificate", kPem},
    };
    return rules;
}

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_allowed(const MemberRule& rule, char c) {
    if (rule.pattern.empty()) return true;
    const bool is_other_alphabet =
        rule.takes_unicode && (static_cast<unsigned char>(c) & 0x80U) != 0;
    if (is_other_alphabet) return true;
    if (rule.others == "^") return c >= ' ' && c <= '~';
    if (rule.pattern.starts_with("[0-9")) {
        const bool is_hex = rule.pattern.starts_with("[0-9a-fA-F") &&
                            ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
        return (c >= '0' && c <= '9') || is_hex || rule.others.find(c) != std::string_view::npos;
    }
    return is_letter_or_digit(c) || rule.others.find(c) != std::string_view::npos;
}

/// Code points; AWS's lengths are characters.
std::size_t count_of_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::string shown(std::string_view value) {
    constexpr std::size_t kMostShown = 140;
    std::string out = "'";
    for (const char c : value.substr(0, kMostShown))
        out += c >= ' ' && c <= '~' ? c : '?';
    return out + (value.size() > kMostShown ? "…'" : "'");
}

std::string alternatives(std::string_view values) {
    std::string out(values);
    for (std::size_t at = out.find('|'); at != std::string::npos; at = out.find('|', at))
        out.replace(at, 1, ", ");
    return out;
}

Result<> check_text(const MemberRule& rule, std::string_view value, std::string where) {
    if (!rule.values.empty()) {
        for (std::string_view rest = rule.values; !rest.empty();) {
            const std::size_t end = std::min(rest.find('|'), rest.size());
            if (rest.substr(0, end) == value) return {};
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return fail(Code::InvalidRequest,
                    "expected one of " + alternatives(rule.values) + ", found " + shown(value),
                    std::move(where));
    }
    const std::size_t length = count_of_characters(value);
    const bool good =
        length >= rule.shortest && length <= rule.longest &&
        std::all_of(value.begin(), value.end(), [&](char c) { return is_allowed(rule, c); });
    if (good) return {};
    std::string expected = "expected " + std::to_string(rule.shortest) + " to " +
                           std::to_string(rule.longest) + " characters";
    if (!rule.pattern.empty()) expected.append(" of ").append(rule.pattern);
    const std::string found = rule.pattern.empty() ? std::to_string(length) : shown(value);
    return fail(Code::InvalidRequest, expected + ", found " + found, std::move(where));
}

bool has_type(MemberType type, const json& value) {
    switch (type) {
        case MemberType::Text:
            return value.is_string();
        case MemberType::Flag:
            return value.is_boolean();
        case MemberType::Integer:
            return value.is_number_integer();
        case MemberType::Object:
            return value.is_object();
        case MemberType::List:
            return value.is_array();
    }
    return false;
}

std::string_view word_for(MemberType type) {
    constexpr std::string_view kWords[] = {
        "a string", "a boolean", "an integer", "an object", "an array"};
    return kWords[static_cast<std::size_t>(type)];
}

Result<> check_value(const MemberRule& rule, const json& value, const std::string& where) {
    if (!has_type(rule.type, value)) {
        return fail(Code::InvalidRequest,
                    "expected " + std::string(word_for(rule.type)) + ", found " +
                        std::string(value.type_name()),
                    where);
    }
    if (rule.type == MemberType::Text)
        return check_text(rule, value.get_ref<const std::string&>(), where);
    if (rule.type != MemberType::List) return {};
    if (value.size() >= rule.shortest && value.size() <= rule.longest) return {};
    return fail(Code::InvalidRequest,
                "expected " + std::to_string(rule.shortest) + " to " +
                    std::to_string(rule.longest) + " items, found " + std::to_string(value.size()),
                where);
}

/// `path` names the rule, `where` the member (JSON pointer). Descends only below known members, so
/// the depth is that of the table.
Result<> check_tree(std::string_view operation,
                    const json& value,
                    const std::string& path,
                    const std::string& where) {
    const auto child =
        [&](const json& item, const std::string& step, const std::string& name) -> Result<> {
        if (item.is_null()) return {};  // counts as absent
        const std::string child_path = path + "/" + step, child_where = where + "/" + name;
        auto rule = body_rules().find(std::string(operation) + child_path);
        if (rule == body_rules().end()) rule = body_rules().find(child_path);
        if (rule == body_rules().end()) return {};
        if (auto good = check_value(rule->second, item, child_where); !good) return good;
        return check_tree(operation, item, child_path, child_where);
    };
    if (value.is_object()) {
        for (const auto& [name, item] : value.items()) {
            if (auto good = child(item, name, name); !good) return good;
        }
    }
    if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            if (auto good = child(value[i], "[]", std::to_string(i)); !good) return good;
        }
    }
    return {};
}

}  // namespace

Result<> check_member(std::string_view name, std::string_view value) {
    const auto rule = outer_rules().find(name);
    if (rule == outer_rules().end()) return {};
    return check_text(rule->second, value, std::string(name));
}

Result<> check_body(std::string_view operation, const json& body) {
    return check_tree(operation, body, "", "");
}

}  // namespace hatchery::api
