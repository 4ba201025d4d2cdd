#!/usr/bin/env bash
# MQTT 5 by clients that others wrote: mosquitto's, Paho, mqtt.js, AWS's device SDK with its identity client v2; JITP and claims.
source "$(dirname "$0")/lib.sh" "$1"

npm_modules mqtt
device() { node "$modules/devices5.js" "$@"; }

"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["123456"]\n' >> "$data/hatchery.toml"
serve
tutorial_registry
tutorial_ca
subject=/CN=HW-100/O=AnyCompany/OU=Prod/dnQualifier=AnyType
topic() { printf 'AnyCompany/%s/telemetry' "$1"; }

say "AWS's SDK, its MQTT 5 client: a first connect, properties, a denied filter and a denied topic"
new_device "$work/sdk" "$work/rootCA" "$subject" 501
answer=$(device sdk "$work/sdk.pem" "$work/sdk.key" 501 "$(topic 501)") || die "$answer"
equal "$(jq -c .suback <<< "$answer")" '[1,135]' "SUBACK"
equal "$(jq -r .payload <<< "$answer")" five "payload"
equal "$(jq -r .contentType <<< "$answer")" text/plain "content type"
equal "$(jq -c '.user[0]' <<< "$answer")" '{"name":"line","value":"1"}' "user property"
equal "$(jq -r .denied <<< "$answer")" 135 "PUBACK of a denied topic"
equal "$(jq -r '"\(.topicAliases) \(.maximumQos)"' <<< "$answer")" "0 1" "what CONNACK offers"

say "mqtt.js with both versions"
new_device "$work/npm" "$work/rootCA" "$subject" 502
answer=$(device npm 5 "$work/npm.pem" "$work/npm.key" 502 "$(topic 502)") || die "$answer"
equal "$(jq -c . <<< "$answer")" '{"granted":1,"payload":"from mqtt.js","denied":135,"hasExpiry":true}' "mqtt.js, version 5"
answer=$(device npm 4 "$work/npm.pem" "$work/npm.key" 502 "$(topic 502)") || die "$answer"
equal "$(jq -c . <<< "$answer")" '{"granted":1,"payload":"from mqtt.js","denied":"closed","hasExpiry":false}' "mqtt.js, version 4"

say "Paho with both versions"
new_device "$work/paho" "$work/rootCA" "$subject" 503
for version in 5 4; do
    /usr/bin/python3 "$modules/paho_device.py" $version "$work/paho.pem" "$work/paho.key" 503 "$(topic 503)" || die "Paho $version"
done

say "mosquitto's clients, and what hatchery why says of a denial"
new_device "$work/mosquitto" "$work/rootCA" "$subject" 504
mosquitto() {
    timeout 30 mosquitto_pub -V 5 -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" \
        --cert "$work/mosquitto.pem" --key "$work/mosquitto.key" -i 504 -q 1 "$@"
}
mosquitto -t "$(topic 504)" -m hello -D publish user-property a b || die "mosquitto_pub -V 5"
mosquitto -t denied/topic -m no > "$work/denied.txt" 2>&1 || true
contains "$(cat "$work/denied.txt")" "Not authorized" "mosquitto_pub of a denied topic"
why() { "$bin/hatchery" why "$@" --data "$data"; }
explained() { why 504 --json | jq -e '.attempts[] | select(.attempt == "packet" and .outcome == "refused")
    | .steps[0] | select(.step == "iot:Publish" and (.expected | contains("topic/denied/topic")))'; }
await explained
equal "$(why 504 --json | jq -r '.attempts[] | select(.attempt == "connect") | .outcome')" done "the first connect's trace"
contains "$(why 504)" "AnyTypeThing-policy" "policy in the text form"

say "claims over MQTT 5, by the SDK's identity client v2"
tutorial_claim
answer=$(device claim "$work/claim.pem" "$work/claim.key" FleetProvisioningTemplate 123456-5) || die "$answer"
equal "$(jq -r '"\(.thingName) \(.hasKey)"' <<< "$answer")" "claimed-123456-5 true" "claim by the identity client"
answer=$(device claim "$work/claim.pem" "$work/claim.key" FleetProvisioningTemplate 999-5) || die "$answer"
equal "$(jq -r .refused <<< "$answer")" 403 "status of a refused claim"
refusal() { why 999-5 --json | jq -e '.attempts[0].steps[] | select(.step == "hook" and .outcome == "failed")'; }
await refusal
stop_server
