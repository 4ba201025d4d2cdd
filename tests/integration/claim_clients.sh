#!/usr/bin/env bash
# The claim flow by clients that others wrote, unmodified, with MQTT 3.1.1 and 5: mqtt.js, Paho, mosquitto's own. (AWS's SDK: sdk.sh
# and mqtt5.sh; first connects by all of them: jitp.sh and mqtt5.sh.)
source "$(dirname "$0")/lib.sh" "$1"

npm_modules mqtt
"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["123456"]\n' >> "$data/hatchery.toml"
serve
tutorial_registry
tutorial_claim
template=FleetProvisioningTemplate

for version in 4 5; do
    say "mqtt.js, version $version"
    answer=$(node "$modules/claim_npm.js" $version "$work/claim.pem" "$work/claim.key" $template 123456-npm$version)
    equal "$answer" "{\"thingName\":\"claimed-123456-npm$version\",\"hasKey\":true}" "claim by mqtt.js"
    answer=$(node "$modules/claim_npm.js" $version "$work/claim.pem" "$work/claim.key" $template 999-npm$version)
    equal "$answer" '{"refused":"403"}' "a serial number that the hook refuses"

    say "Paho, version $version, with a request of its own"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/own$version.key" -subj /CN=own \
        -out "$work/own$version.csr" 2> /dev/null
    paho() { /usr/bin/python3 "$modules/claim_paho.py" $version "$work/claim.pem" "$work/claim.key" $template "$1" "$work/own$version.csr"; }
    equal "$(paho 123456-paho$version)" "claimed-123456-paho$version" "claim by Paho"
    equal "$(paho 999-paho$version)" 403 "a serial number that the hook refuses"
done

request() {  # request VERSION TOPIC PAYLOAD: mosquitto's request and answer
    timeout 30 mosquitto_rr -V "$1" -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" \
        --cert "$work/claim.pem" --key "$work/claim.key" -i fleet-device -q 1 -t "$2" -e "$2/accepted" -m "$3"
}
for version in mqttv311 mqttv5; do
    say "mosquitto's clients, $version, and the new certificate at work"
    created=$(request $version '$aws/certificates/create/json' '{}')
    jq -r .certificatePem <<< "$created" > "$work/new.pem"
    jq -r .privateKey <<< "$created" > "$work/new.key"
    serial=123456-rr$version
    registered=$(request $version "\$aws/provisioning-templates/$template/provision/json" \
        "$(jq -c "{certificateOwnershipToken, parameters: {SerialNumber: \"$serial\"}}" <<< "$created")")
    equal "$(jq -r .thingName <<< "$registered")" "claimed-$serial" "claim by mosquitto_rr"
    device_publish "$work/new" "claimed-$serial" "AnyCompany/claimed-$serial/telemetry" hello || die "the claimed device"
done
stop_server
