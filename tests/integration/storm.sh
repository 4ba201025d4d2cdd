#!/usr/bin/env bash
# Power is back: DEVICES devices connect for the first time at once, among them ones whose serial number the hook refuses, ones of
# an unknown CA, and ones that drop in the middle of the handshake; the server is killed with -9 and started again twice meanwhile.
# In the end exactly the good ones are registered, each once, and what was acknowledged was delivered.  storm.sh BIN [DEVICES]
source "$(dirname "$0")/lib.sh" "$1"
devices=${2:-120}
bad=$((devices / 100 + 1))

own_broker 'max_queued_messages 0'
"$bin/hatchery" init "$data" > /dev/null
use_own_broker
printf '\n[hooks.Line]\nkind = "allow-list"\nparameter = "AWS::IoT::Certificate::SerialNumber"\nprefixes = ["GOOD"]\n' >> "$data/hatchery.toml"
serve
tutorial_registry
iot update-provisioning-template --template-name jitp-provisioning-template --pre-provisioning-hook \
    "payloadVersion=2020-04-01,targetArn=arn:aws:lambda:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:function:Line" > /dev/null
tutorial_factory
mosquitto_sub -h 127.0.0.1 -p $port -i collector -q 1 -t 'AnyCompany/#' -v > "$work/received.txt" &
background+=($!)
await bash -c "mosquitto_pub -h 127.0.0.1 -p $port -q 1 -t AnyCompany/probe -m up && grep -q probe '$work/received.txt'"
new_ca "$work/otherCA" "/O=Stranger/CN=Other CA"
new_device "$work/stranger" "$work/otherCA" "/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType" 666

say "$devices good devices, $bad refused by the hook; strangers and broken handshakes beside them"
mqtt_port=$HATCHERY_MQTT_PORT https_port=$HATCHERY_HTTPS_PORT control_port=${HATCHERY_ENDPOINT##*:}
again() {  # the same ports, so that devices find the server again
    sed -i "/^\[control_plane\]/,/^port = / s/^port = .*/port = $control_port/; /^\[mqtt\]/,/^port = / s/^port = .*/port = $mqtt_port/;
        /^\[https\]/,/^port = / s/^port = .*/port = $https_port/" "$data/hatchery.toml"
    rm -f "$work/ready.json"
    "$bin/hatchery" serve "$data" --ready-file "$work/ready.json" >> "$work/serve.log" 2>&1 &
    server=$!
    await test -s "$work/ready.json"
}
refusals=()
for i in $(seq $bad); do refusals+=(--bad-serial "BAD$i"); done
jitp() {
    exec "$bin/fleet" jitp --concurrency 64 --timeout 60 --organization AnyCompany --ou Dev --dn-qualifier AnyType \
        --station-cert "$work/station.pem" --station-key "$work/station.key" "$@"
}
# A refused device cannot tell a refusal from a server that is gone: it tries less often here.
jitp --devices 0 "${refusals[@]}" --retries 2 --out "$work/bad.jsonl" > "$work/bad.txt" 2>&1 &
bad_fleet=$!
jitp --devices "$devices" --serial-prefix GOOD --serial-digits 5 --retries 60 --out "$work/fleet.jsonl" > "$work/fleet.txt" 2>&1 &
fleet=$!
background+=($fleet $bad_fleet)
(while kill -0 $fleet 2> /dev/null; do
    device_publish "$work/stranger" 666 AnyCompany/666/telemetry x 2> /dev/null && echo "a stranger got in" > "$work/stranger.txt"
    printf '\x16\x03\x01\x02\x00\x01' > "/dev/tcp/$HATCHERY_MQTT_HOST/$mqtt_port" || true
    sleep 0.1
done) 2> /dev/null &
background+=($!)
through() { [ "$(grep -c '"provisioned"' "$work/fleet.jsonl" 2> /dev/null)" -ge "$1" ]; }
for part in 4 2; do
    await through $((devices / part))
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    say "killed with $(grep -c '"provisioned"' "$work/fleet.jsonl") devices through, starting again"
    again
done
wait $fleet $bad_fleet || true
[ ! -f "$work/stranger.txt" ] || die "a device of an unknown CA was accepted"

say "exactly the good ones, each once"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM things WHERE name LIKE 'GOOD%'")" "$devices" "good devices registered"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM things WHERE name NOT LIKE 'GOOD%'")" 0 "others registered"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM (SELECT thing FROM thing_principals GROUP BY thing HAVING COUNT(*) > 1)")" 0 \
    "things with several certificates"
equal "$(sqlite3 "$data/hatchery.db" < "$(dirname "$0")/half.sql" | head -3)" "" "things that are half there"
equal "$(jq -r .outcome "$work/bad.jsonl" | grep -cv provisioned)" "$bad" "refused devices"

say "what was acknowledged was delivered"
# A device that the kill caught between CONNACK and PUBACK is registered, and its message not acknowledged.
jq -r 'select(.outcome == "provisioned") | .thing' "$work/fleet.jsonl" | sort > "$work/through.txt"
acknowledged=$(awk '/messages acknowledged/ {print $3}' "$work/fleet.txt")
may_lack=$(($(wc -l < "$work/through.txt") - acknowledged))
lacking() { comm -23 "$work/through.txt" <(sed -n 's|^AnyCompany/\(GOOD[0-9]*\)/.*|\1|p' "$work/received.txt" | sort -u) | wc -l; }
delivered() { [ "$(lacking)" -le "$may_lack" ]; }
await delivered
say "$acknowledged messages acknowledged, each delivered; $may_lack devices were caught before"
[ "$acknowledged" -gt $((devices / 2)) ] || die "too few messages for this to say anything: $acknowledged"
stop_server
