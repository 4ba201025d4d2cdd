# hatchery policy: what a policy allows and why; what is probably not meant.
source "$(dirname "$0")/lib.sh"
cat > policy.json << 'JSON'
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:us-east-1:123456789012:client/${iot:Connection.Thing.ThingName}"},
  {"Sid": "own", "Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:us-east-1:123456789012:topic/a/${iot:ClientId}"}]}
JSON
cat > deny.json << 'JSON'
{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iot:*", "Resource": "*",
  "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}}
JSON
run 0 "$hatchery" policy test policy.json --action Publish --resource topic/a/c1 --client-id c1
equal "$out" "ALLOWED
  policy.json /Statement/0: Allow is about other actions
  policy.json /Statement/1 (own): Allow applies" "an allowed publish"
run 1 "$hatchery" policy test policy.json --action Publish --resource topic/a/c2 --client-id c1
contains "$out" "IMPLICIT_DENY" "another's topic"
equal "$err" "hatchery: iot:Publish on arn:aws:iot:us-east-1:123456789012:topic/a/c2 is denied: IMPLICIT_DENY" "stderr"
run 1 "$hatchery" policy test policy.json --action Connect --resource client/t1 --client-id t1
contains "$out" 'names a policy variable that is not set ${iot:Connection.Thing.ThingName}' "no thing"
run 0 "$hatchery" policy test policy.json --action Connect --resource client/t1 --client-id t1 --thing t1
run 1 "$hatchery" policy test policy.json deny.json --action Publish --resource topic/a/c1 --client-id c1 \
    --set aws:SourceIp=192.0.2.7 --json
equal "$(json out decision)" EXPLICIT_DENY "decision in the JSON"
contains "$err" "EXPLICIT_DENY by deny.json /Statement/0" "stderr"
run 2 "$hatchery" policy test policy.json --action Fly --resource topic/a
contains "$err" "expected Connect, Publish" "a wrong action"
run 2 "$hatchery" policy test missing.json --action Publish --resource topic/a

run 0 "$hatchery" policy lint policy.json
equal "$out" "" "nothing to find"
echo '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}' > wide.json
run 1 "$hatchery" policy lint policy.json wide.json
equal "$out" 'wide.json: /Statement/0: error: any-client: "*" lets the device connect with any client id, another device'"'"'s too' "a finding"
equal "$err" "hatchery: 1 finding" "stderr of lint"
echo '{"Statement": {"Effect": "Maybe"}}' > broken.json
run 1 "$hatchery" policy lint broken.json
contains "$err" 'hatchery: broken.json:/Statement' "where it is broken"
