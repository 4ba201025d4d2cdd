# hatchery template validate and explain: silence for a good file, each finding with its place, code and caret.
source "$(dirname "$0")/lib.sh"
unset HATCHERY_PASSPHRASE
cat > good.json << 'JSON'
{
  "Parameters": { "AWS::IoT::Certificate::SerialNumber": { "Type": "String" },
                  "AWS::IoT::Certificate::Organization": { "Type": "String" } },
  "Resources": {
    "thing": { "Type": "AWS::IoT::Thing", "Properties": {
      "ThingName": { "Ref": "AWS::IoT::Certificate::SerialNumber" },
      "BillingGroup": { "Ref": "AWS::IoT::Certificate::Organization" } } },
    "certificate": { "Type": "AWS::IoT::Certificate", "Properties": {
      "CertificateId": { "Ref": "AWS::IoT::Certificate::Id" }, "Status": "Active" } }
  }
}
JSON
sed 's/"Ref": "AWS::IoT::Certificate::Organization"/"Ref": "AWS::IoT::Certificate::Organisation"/' good.json > undeclared.json
sed 's/"Ref": "AWS::IoT::Certificate::Id"/"Fn::GetAtt": ["thing", "Id"]/' good.json > unknown_function.json
printf '{\n  "Resources": {},\n}\n' > not_json.json
head -c 10240 /dev/zero | tr '\0' ' ' > spaces
cat good.json spaces > too_long.json

# A good one: nothing at all, also from standard input and as input document of the AWS CLI.
run 0 "$hatchery" template validate good.json
equal "$out$err" "" "output for a good file"
input=good.json run 0 "$hatchery" template validate -
equal "$out$err" "" "output for a good standard input"
python3 -c 'import json; print(json.dumps({"templateName": "t", "templateBody": open("good.json").read(), "type": "JITP"}))' > input.json
run 0 "$hatchery" template validate good.json input.json
equal "$out$err" "" "output for a good input document"

# What will hurt later is said on request, and counts on request.
warning='good.json:3:19: warning: expected a Default, found none: a certificate without this attribute is refused [T108]'
run 0 "$hatchery" template validate --warnings good.json
equal "$(head -1 out)" "$warning" "warning"
run 1 "$hatchery" template validate --strict good.json
equal "$(head -1 out)" "$warning" "warning with --strict"

# Broken ones: the finding, its line, the caret, the suggestion.
run 1 "$hatchery" template validate good.json undeclared.json
equal "$out" 'undeclared.json:7:32: error: Cannot resolve reference value: AWS::IoT::Certificate::Organisation; expected a name that Parameters declares, found "AWS::IoT::Certificate::Organisation" [T201]
          "BillingGroup": { "Ref": "AWS::IoT::Certificate::Organisation" } } },
                                   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
    suggestion: did you mean "AWS::IoT::Certificate::Organization"?' "undeclared Ref"
equal "$err" "" "stderr of findings"
run 1 "$hatchery" template validate unknown_function.json
contains "$out" 'unknown_function.json:9:26: error: expected Ref, Fn::Join, Fn::Select, Fn::FindInMap, Fn::Split or Fn::Sub, found "Fn::GetAtt" [T202]' "unknown function"
run 1 "$hatchery" template validate not_json.json
equal "$out" "not_json.json:3:1: error: expected a member name in double quotes, found '}' [T001]
    }
    ^
    suggestion: remove the comma before it" "not JSON"
run 1 "$hatchery" template validate too_long.json
contains "$out" 'error: expected a template body of at most 10240 characters, found' "too long"
contains "$out" '[T002]' "too long"
input=not_json.json run 1 "$hatchery" template validate -
contains "$out" '<stdin>:3:1: error: ' "standard input"

# The kind is taken from the file or told.
run 1 "$hatchery" template validate --type bulk good.json
contains "$out" 'good.json:9:33: error: Cannot resolve reference value: AWS::IoT::Certificate::Id; ' "as bulk"

# What cannot be read is no finding; the others are checked all the same.
run 2 "$hatchery" template validate nothing.json undeclared.json .
contains "$out" 'undeclared.json:7:32: error: ' "findings beside an unreadable file"
contains "$err" 'hatchery: cannot read nothing.json: No such file or directory' "stderr"
contains "$err" 'hatchery: cannot read .: Is a directory' "stderr"
: > empty.json
run 1 "$hatchery" template validate empty.json
contains "$out" 'empty.json:1:1: error: expected a JSON value, found the end of the text [T001]' "empty file"

# Policy documents are read as policies: what the first device would be refused for, and what deserves a second look.
cat > policies.json << 'JSON'
{"Resources": {"c": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}},
  "p": {"Type": "AWS::IoT::Policy", "Properties": {
    "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Permit", "Action": "iot:Connect", "Resource": "*"}]}}},
  "q": {"Type": "AWS::IoT::Policy", "Properties": {
    "PolicyDocument": {"Version": "2012-10-17", "Statement": [
      {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": "arn:aws:iot:us-east-1:123456789012:topic/a"}]}}}}}
JSON
run 1 "$hatchery" template validate --warnings policies.json
equal "$(grep '^policies' out)" 'policies.json:3:23: error: expected "Allow" or "Deny", found "Permit" at /Statement/0/Effect in it [T503]
policies.json:5:23: warning: statement 1: "arn:aws:iot:us-east-1:123456789012:topic/a" is of type topic, which none of the actions has [T504]' "policies"

run 0 "$hatchery" template explain T201
contains "$out" 'T201: Ref and Fn::Sub name a parameter' "explain"
run 2 "$hatchery" template explain T999
equal "$err" 'hatchery: no finding has the code T999' "stderr of explain"
