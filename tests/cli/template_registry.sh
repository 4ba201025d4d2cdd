# hatchery template validate --registry: names that a data directory, or a control plane over HTTP, has or lacks.
source "$(dirname "$0")/lib.sh"
cat > template.json << 'JSON'
{
  "Parameters": {"Name": {"Type": "String"}, "Group": {"Type": "String", "Default": "stock"}},
  "Resources": {
    "thing": {"Type": "AWS::IoT::Thing", "Properties": {
      "ThingName": {"Ref": "Name"}, "ThingTypeName": "Meter", "BillingGroup": "AnyCompany",
      "ThingGroups": ["hall-1", {"Ref": "Group"}, {"Ref": "Name"}]}},
    "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}},
    "own": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "made", "PolicyDocument": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Deny\", \"Action\": \"iot:*\", \"Resource\": \"*\"}]}"}},
    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "meters+v=1,a.b@c"}}
  }
}
JSON
expected='template.json:5:54: error: expected a thing type of the registry, found "Meter", which does not exist [T501]
template.json:5:79: error: expected a billing group of the registry, found "AnyCompany", which does not exist [T501]
template.json:6:23: error: expected a thing group of the registry, found "hall-1", which does not exist [T501]
template.json:6:33: warning: expected a thing group of the registry, found the Default "stock", which does not exist [T502]
template.json:9:73: error: expected a policy of the registry, found "meters+v=1,a.b@c", which does not exist [T501]'
run 0 "$hatchery" template validate template.json
"$hatchery" init data > /dev/null 2>&1

# An empty data directory lacks them all; no passphrase is needed.
HATCHERY_PASSPHRASE= run 1 "$hatchery" template validate --warnings --registry data template.json
equal "$(grep '^template.json' out)" "$expected" "findings of a data directory"

# The same from the control plane, signed.
serve
eval "$("$hatchery" env data)"
run 1 "$hatchery" template validate --warnings --registry "$HATCHERY_ENDPOINT/" template.json
equal "$(grep '^template.json' out)" "$expected" "findings of a control plane"
AWS_SECRET_ACCESS_KEY=wrong run 2 "$hatchery" template validate --registry "$HATCHERY_ENDPOINT" template.json
contains "$err" "answered 403 for /thing-types/Meter" "a wrong key"
AWS_ACCESS_KEY_ID= run 2 "$hatchery" template validate --registry "$HATCHERY_ENDPOINT" template.json
refused "--registry: expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"

# One process of the AWS SDK instead of four of its command line.
python3 - << 'PY'
import boto3, os
iot = boto3.client("iot", endpoint_url=os.environ["HATCHERY_ENDPOINT"])
iot.create_thing_type(thingTypeName="Meter")
iot.create_billing_group(billingGroupName="AnyCompany")
iot.create_thing_group(thingGroupName="hall-1")
iot.create_policy(policyName="meters+v=1,a.b@c", policyDocument='{"Version": "2012-10-17", "Statement": ['
                  '{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}')
PY
for registry in "$HATCHERY_ENDPOINT" data; do
    run 0 "$hatchery" template validate --registry "$registry" template.json
    run 1 "$hatchery" template validate --strict --registry "$registry" template.json
    equal "$(grep '^template.json' out)" "$(grep Default <<< "$expected")" "what is left with $registry"
done
endpoint=$HATCHERY_ENDPOINT
stop TERM
run 2 "$hatchery" template validate --registry "$endpoint" template.json
contains "$err" "hatchery: no answer from $endpoint: " "a control plane that is gone"
run 2 "$hatchery" template validate --registry nowhere template.json
