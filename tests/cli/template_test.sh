# hatchery template test: cases that pass, fail, are broken; the registry before; JUnit XML.
script=$(realpath "$0")
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
mkdir -p cases/deep
cat > cases/jitp.json << 'JSON'
{
  "Parameters": {
    "AWS::IoT::Certificate::SerialNumber": {"Type": "String"},
    "AWS::IoT::Certificate::OrganizationalUnit": {"Type": "String", "Default": "stock"}
  },
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {
      "ThingName": {"Ref": "AWS::IoT::Certificate::SerialNumber"}, "ThingTypeName": "Meter",
      "ThingGroups": [{"Ref": "AWS::IoT::Certificate::OrganizationalUnit"}],
      "AttributePayload": {"origin": "jitp"}},
      "OverrideSettings": {"AttributePayload": "MERGE", "ThingGroups": "REPLACE"}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters"}}
  }
}
JSON
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key -set_serial 4711 -days 1 \
    -subj /CN=HW-1/OU=hall-1 -out cases/device.pem 2> /dev/null
registry='{"thingTypes": ["Meter"], "thingGroups": ["stock", "hall-1"], "policies": ["meters"]}'
cat > cases/new_device.case.json << JSON
{"description": "a device that nobody knows", "template": "jitp.json", "certificate": "device.pem", "registry": $registry,
 "expect": {"thing": {"thingName": "4711", "thingTypeName": "Meter", "thingGroups": ["hall-1"], "attributes": {"origin": "jitp"},
                      "billingGroupName": null},
            "certificate": {"status": "ACTIVE"}, "policies": ["meters"]}}
JSON
cat > cases/known_device.case.json << JSON
{"template": "jitp.json", "certificate": "device.pem",
 "registry": {"thingTypes": ["Meter"], "thingGroups": ["stock", "hall-1"], "billingGroups": ["b"],
   "policies": {"meters": {"Version": "2012-10-17", "Statement": []}},
   "things": [{"thingName": "4711", "thingTypeName": "Meter", "attributes": {"seen": "before"}, "thingGroups": ["stock"],
               "billingGroupName": "b"}]},
 "expect": {"thing": {"attributes": {"origin": "jitp", "seen": "before"}, "thingGroups": ["hall-1"], "billingGroupName": "b"},
            "policies": {"meters": {"Version": "2012-10-17", "Statement": []}}}}
JSON
cat > cases/deep/missing_policy.case.json << JSON
{"template": "../jitp.json", "parameters": {"AWS::IoT::Certificate::SerialNumber": "1"},
 "registry": {"thingTypes": ["Meter"], "thingGroups": ["stock"]}, "expect": {"error": "/Resources/policy/Properties/PolicyName"}}
JSON
cat > cases/deep/no_serial_number.case.json << JSON
{"template": "../jitp.json", "expect": {"error": "Cannot resolve reference value: AWS::IoT::Certificate::SerialNumber"}}
JSON
echo '{"Resources": {"t": {"Type": "AWS::IoT::Thin"}}}' > cases/deep/broken.json
cat > cases/deep/refused_template.case.json << JSON
{"template": "broken.json", "type": "claim", "expect": {"error": "[T301]"}}
JSON
cat > cases/claim.json << 'JSON'
{"Parameters": {"Name": {"Type": "String"}},
 "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
  "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "own", "PolicyDocument":
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": {"Fn::Sub": "arn:aws:iot:*:*:client/${Name}"}}]}}}},
 "DeviceConfiguration": {"interval": "60"}}
JSON
cat > cases/claim.case.json << 'JSON'
{"template": "claim.json", "parameters": {"Name": "n"}, "expect": {"certificate": {"status": "ACTIVE"}, "deviceConfiguration": {"interval": "60"},
 "policies": {"own": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/n"}]}}}}
JSON

# All pass, in the order of their names; cases leave nothing behind for each other.
run 0 "$hatchery" template test cases
equal "$out" "ok    claim
ok    deep/missing_policy
ok    deep/no_serial_number
ok    deep/refused_template
ok    known_device
ok    new_device
6 of 6 passed" "six cases"
run 0 "$hatchery" template test cases/claim.case.json
equal "$out" "ok    claim
1 of 1 passed" "one case"

# Failures say what was expected and found; a broken case is an error; JUnit counts them.
sed 's/"hall-1"\], "attributes": {"origin": "jitp"}/"stock"], "attributes": {"origin": "<x>"}/' cases/new_device.case.json > cases/wrong.case.json
sed 's/"thingTypes": \["Meter"\]/"thingTypes": []/' cases/new_device.case.json > cases/no_type.case.json
sed 's/"expect": {"error": .*/"expect": {}}/' cases/deep/no_serial_number.case.json > cases/deep/unexpected.case.json
sed 's/"expect"/"expected"/' cases/claim.case.json > cases/typo.case.json
run 1 "$hatchery" template test cases --junit report.xml
contains "$out" 'FAIL  deep/unexpected
      expected records, found /Parameters/AWS::IoT::Certificate::SerialNumber: Cannot resolve reference value: AWS::IoT::Certificate::SerialNumber' "an error that was not expected"
contains "$out" 'FAIL  no_type
      expected records, found /Resources/thing/Properties/ThingTypeName: thing type Meter does not exist' "a missing thing type"
contains "$out" 'ERROR typo
      no member expected is known here' "a typing error in a case"
contains "$out" 'FAIL  wrong
      /expect/thing/attributes: expected {"origin":"<x>"}, found {"origin":"jitp"}
      /expect/thing/thingGroups: expected ["stock"], found ["hall-1"]' "differences"
contains "$out" "6 of 10 passed" "count"
equal "$(python3 -c '
import xml.etree.ElementTree as tree
root = tree.parse("report.xml").getroot()
print(root.attrib["tests"], root.attrib["failures"], root.attrib["errors"])
for case in root.iter("testcase"):
    for problem in case:
        print(case.attrib["name"], problem.tag, problem.attrib["message"])
')" '10 3 1
deep/unexpected failure expected records, found /Parameters/AWS::IoT::Certificate::SerialNumber: Cannot resolve reference value: AWS::IoT::Certificate::SerialNumber
no_type failure expected records, found /Resources/thing/Properties/ThingTypeName: thing type Meter does not exist
typo error no member expected is known here
wrong failure /expect/thing/attributes: expected {"origin":"<x>"}, found {"origin":"jitp"}' "JUnit"

mkdir empty
run 2 "$hatchery" template test empty
refused "expected files NAME.case.json below empty, found none"
run 2 "$hatchery" template test cases --junit /nowhere/report.xml

# The repository's own cases: the tutorial's templates with a version 1 certificate, every override against a thing that
# exists.
run 0 "$hatchery" template test "$(dirname "$script")/../data/templates/cases"
contains "$out" "18 of 18 passed" "the repository's cases"
