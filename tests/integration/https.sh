#!/usr/bin/env bash
# HTTPS publish (POST /topics/TOPIC?qos=1 on the port of the factory line): a first connect by curl, HTTPS's policy rules, refusals
# that `hatchery why` explains, JITR, deactivation; events of the registry and of connections beside it.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
serve
tutorial_registry
tutorial_ca
iot create-policy --policy-name https --policy-document '{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"iot:Publish","Resource":"*"},
    {"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/closed/*"}]}' > /dev/null
socket=$(broker_socket)
mosquitto_sub --unix "$socket" -i watcher -q 1 -t '#' -t '$aws/events/#' -v > "$work/received.txt" &
background+=($!)
await bash -c "mosquitto_pub --unix '$socket' -q 1 -t probe -m up && grep -q probe '$work/received.txt'"
post() {  # post PATH-PREFIX TARGET BODY: status and body
    curl -s -m 30 --cacert "$HATCHERY_SERVER_CA" --cert "$1.pem" --key "$1.key" --data-binary "$3" -w ' %{http_code}' \
        "https://$HATCHERY_MQTT_HOST:$HATCHERY_HTTPS_PORT$2"
}
arn_of() { echo "arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:cert/$(openssl x509 -in "$1.pem" -outform DER | sha256sum | cut -d' ' -f1)"; }

say "the first connect may be an HTTPS one; its policy names the thing, which HTTPS does not know"
new_device "$work/device" "$work/rootCA" "/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType" 9001
contains "$(post "$work/device" '/topics/AnyCompany/9001/telemetry?qos=1' early)" 'Forbidden' "thing variables over HTTPS"
equal "$(iot describe-thing --thing-name 9001 | jq -r .thingName)" 9001 "the thing that an HTTPS connect made"
await bash -c "'$bin/hatchery' why 9001 --data '$data' | grep -q iot:Publish"

say "with a policy without such variables it passes, either way of writing the topic"
iot attach-policy --policy-name https --target "$(arn_of "$work/device")"
contains "$(post "$work/device" '/topics/AnyCompany/9001/telemetry?qos=1' first)" '"message":"OK"' "publish"
contains "$(post "$work/device" '/topics/AnyCompany%2F9001%2Ftelemetry?qos=0' second)" ' 200' "percent-encoded topic"
await grep -qx 'AnyCompany/9001/telemetry second' "$work/received.txt"
equal "$(grep -cx 'AnyCompany/9001/telemetry first' "$work/received.txt")" 1 "deliveries of the QoS 1 publish"

say "what is refused: a denied topic, RetainPublish, reserved topics, wildcards, too deep, no certificate, other properties"
contains "$(post "$work/device" '/topics/closed/x?qos=1' x)" ' 403' "denied topic"
contains "$(post "$work/device" '/topics/open?qos=1&retain=true' x)" ' 403' "retain without iot:RetainPublish"
contains "$(post "$work/device" '/topics/$aws/things/9001/shadow/update?qos=1' x)" ' 403' "reserved topic"
contains "$(post "$work/device" '/topics/a/%23?qos=1' x)" ' 400' "wildcard"
contains "$(post "$work/device" '/topics/1/2/3/4/5/6/7/8/9?qos=1' x)" ' 400' "nine levels"
contains "$(post "$work/device" '/topics/a%01b?qos=1' x)" ' 400' "control character"
contains "$(post "$work/device" '/topics/a%C3%28b?qos=1' x)" ' 400' "no UTF-8"
contains "$(post "$work/device" '/topics/a?qos=2' x)" ' 400' "QoS 2"
contains "$(post "$work/device" '/topics/a?responseTopic=b' x)" ' 400' "properties of MQTT 5"
contains "$(curl -s -m 30 --cacert "$HATCHERY_SERVER_CA" -d x -w ' %{http_code}' "https://$HATCHERY_MQTT_HOST:$HATCHERY_HTTPS_PORT/topics/a")" \
    ' 403' "no certificate"
head -c 131073 /dev/zero > "$work/large"
contains "$(post "$work/device" '/topics/a?qos=1' "@$work/large")" ' 413' "a payload over 128 KiB"
head -c 100000 /dev/zero | tr '\0' x > "$work/fits"
contains "$(post "$work/device" '/topics/a/large?qos=1' "@$work/fits")" ' 200' "a payload of 100,000 bytes"

say "the AWS CLI's iot-data publish, signed"
data() { aws --endpoint-url "$HATCHERY_ENDPOINT" iot-data publish --payload "fileb://$work/payload" "$@"; }  # versions 1 and 2
printf 'no JSON' > "$work/payload"
data --topic from/cli --qos 1 || die "iot-data publish"
await grep -qx 'from/cli no JSON' "$work/received.txt"
if data --topic '$aws/things/x' 2> /dev/null; then die "iot-data publish to a reserved topic"; fi

say "a deactivated certificate is refused at once, a stranger is, and JITR announces and waits"
iot update-certificate --certificate-id "$(arn_of "$work/device" | cut -d/ -f2)" --new-status INACTIVE
contains "$(post "$work/device" '/topics/open?qos=1' x)" ' 403' "INACTIVE"
iot update-certificate --certificate-id "$(arn_of "$work/device" | cut -d/ -f2)" --new-status ACTIVE
contains "$(post "$work/device" '/topics/open?qos=1' x)" ' 200' "ACTIVE again"
new_ca "$work/otherCA" "/O=Stranger/CN=Other CA"
new_device "$work/stranger" "$work/otherCA" "/CN=x" 9002
contains "$(post "$work/stranger" '/topics/open?qos=1' x)" ' 40' "stranger"
new_ca "$work/jitrCA" "/O=AnyCompany/CN=JITR CA"
jitr=$(register_ca "$work/jitrCA.pem" "$work/jitrCA.key" --set-as-active --allow-auto-registration | jq -r .certificateId)
new_device "$work/waiting" "$work/jitrCA" "/CN=x" 9003
contains "$(post "$work/waiting" '/topics/open?qos=1' x)" ' 403' "JITR waits"
await grep -q "^\$aws/events/certificates/registered/$jitr .*$(arn_of "$work/waiting" | cut -d/ -f2)" "$work/received.txt"
iot attach-policy --policy-name https --target "$(arn_of "$work/waiting")"
iot update-certificate --certificate-id "$(arn_of "$work/waiting" | cut -d/ -f2)" --new-status ACTIVE
contains "$(post "$work/waiting" '/topics/open?qos=1' activated)" ' 200' "activated"

say "registry events, once their type is on, from the API and from provisioning; presence always"
iot update-event-configurations --event-configurations '{"THING":{"Enabled":true},"THING_GROUP_MEMBERSHIP":{"Enabled":true}}'
iot create-thing --thing-name by-api > /dev/null
await grep -q '^$aws/events/thing/by-api/created {"eventType":"THING_EVENT"' "$work/received.txt"
new_device "$work/later" "$work/rootCA" "/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType" 9004
device_publish "$work/later" 9004 AnyCompany/9004/telemetry hello || die "first connect by MQTT"
await grep -q '^$aws/events/thing/9004/created ' "$work/received.txt"
await grep -q '^$aws/events/thingGroupMembership/thingGroup/Dev/thing/9004/added ' "$work/received.txt"
await grep -q '^$aws/events/presence/connected/9004 .*"versionNumber":0' "$work/received.txt"
await grep -q '^$aws/events/presence/disconnected/9004 .*"disconnectReason":"CLIENT_INITIATED_DISCONNECT"' "$work/received.txt"
await bash -c "[ \"\$(sqlite3 '$data/hatchery.db' 'SELECT COUNT(*) FROM outgoing')\" = 0 ]"

say "what was committed while the server was down, by another process, is told once it is back"
stop_server
sqlite3 "$data/hatchery.db" "INSERT INTO things(name, uuid, version) VALUES('by-hand', randomblob(16), 1)"
"$bin/hatchery" serve "$data" --port-base 0 --ready-file "$work/ready2.json" >> "$work/serve.log" 2>&1 &
server=$!
await test -s "$work/ready2.json"
await bash -c "[ \"\$(sqlite3 '$data/hatchery.db' 'SELECT COUNT(*) FROM outgoing')\" = 0 ]"
stop_server
