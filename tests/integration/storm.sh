#!/usr/bin/env bash
# Power is back: HATCHERY_STORM_DEVICES devices connect for the first time at the same moment, and with them as many hundredths whose
# serial number the hook refuses, ones of an unknown CA, and ones that drop in the middle of the handshake; the server is killed with
# -9 and started again twice meanwhile. In the end exactly the good ones are registered, each once, and what was acknowledged was
# delivered.
source "$(dirname "$0")/lib.sh" "$1"
devices=${HATCHERY_STORM_DEVICES:-120}
bad=$((devices / 100 + 1))
patience=$((60 + devices / 10))  # seconds that the storm may take to go on

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

say "$devices good devices; $bad refused by the hook, $bad strangers, $bad broken handshakes beside them"
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
    exec "$bin/fleet" jitp --power-on "$work/power" --concurrency 16 --timeout $patience --organization AnyCompany --ou Dev --dn-qualifier AnyType \
        --station-cert "$work/station.pem" --station-key "$work/station.key" "$@"
}
# A refused device cannot tell a refusal from a server that is gone: it tries less often here.
jitp --devices 0 "${refusals[@]}" --retries 2 --out "$work/bad.jsonl" > "$work/bad.txt" 2>&1 &
bad_fleet=$!
jitp --devices "$devices" --serial-prefix GOOD --serial-digits 5 --retries 60 --json --out "$work/fleet.jsonl" > "$work/fleet.json" 2> "$work/fleet.txt" &
fleet=$!
/usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/storm_noise.py" $bad "$HATCHERY_MQTT_HOST" "$mqtt_port" "$work/power" > "$work/noise.txt" 2>&1 &
noise=$!
background+=($fleet $bad_fleet $noise)
are_ready() { grep -q 'devices are ready' "$work/fleet.txt" && grep -q 'devices are ready' "$work/bad.txt" && grep -q ready "$work/noise.txt"; }
await_long() {  # as await, for what takes longer the more devices there are
    local deadline=$((SECONDS + patience))
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || die "waited in vain for: $*"
        sleep 0.05
    done
}
await_long are_ready
touch "$work/power"
power_on=$SECONDS
messages() { grep -c '^AnyCompany/GOOD' "$work/received.txt" || true; }
have_come() { [ "$(messages)" -ge "$1" ]; }
for part in 4 2; do
    await_long have_come $((devices / part))
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    say "killed after $(messages) messages, with $(grep -c '"provisioned"' "$work/fleet.jsonl") devices let in; starting again"
    again
done
wait $fleet $bad_fleet || true
say "all through after $((SECONDS - power_on)) s"
wait $noise || die "strangers and broken handshakes: $(cat "$work/noise.txt")"

say "exactly the good ones, each once"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM things WHERE name LIKE 'GOOD%'")" "$devices" "good devices registered"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM things WHERE name NOT LIKE 'GOOD%'")" 0 "others registered"
equal "$(sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM (SELECT thing FROM thing_principals GROUP BY thing HAVING COUNT(*) > 1)")" 0 \
    "things with several certificates"
equal "$(sqlite3 "$data/hatchery.db" < "$(dirname "$0")/half.sql" | head -3)" "" "things that are half there"
equal "$(jq -r .outcome "$work/bad.jsonl" | grep -cv provisioned)" "$bad" "refused devices"

say "what was acknowledged was delivered"
# A device that the kill caught between CONNACK and PUBACK is registered, and its message not acknowledged: the summary names it.
comm -23 <(jq -r 'select(.outcome == "provisioned") | .thing' "$work/fleet.jsonl" | sort) \
    <(jq -r '.unexpected[] | split(":")[0]' "$work/fleet.json" | sort) > "$work/acknowledged.txt"
acknowledged=$(wc -l < "$work/acknowledged.txt")
equal "$(jq .messages "$work/fleet.json")" "$acknowledged" "acknowledged messages"
lacking() { comm -23 "$work/acknowledged.txt" <(sed -n 's|^AnyCompany/\(GOOD[0-9]*\)/.*|\1|p' "$work/received.txt" | sort -u); }
delivered() { [ -z "$(lacking)" ]; }
await_long delivered
say "$acknowledged messages acknowledged, each delivered; $((devices - acknowledged)) devices were caught before"
[ "$acknowledged" -ge $((devices / 10)) ] || die "too few messages for this to say anything: $acknowledged"
say "first connects, with all retries: $(jq -r '"p50 \(.p50_ms) ms, p99 \(.p99_ms) ms, slowest \(.max_ms) ms"' "$work/fleet.json")"
stop_server
