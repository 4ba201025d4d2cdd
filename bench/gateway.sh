#!/usr/bin/env bash
# CPU of the server's own process for a first connect, a later connect and a claim flow, beside a bare TLS loop in the same run.
# The broker is a process of its own and not counted; so are the devices, whose certificates are made ahead.
#     bench/gateway.sh BUILD-DIR [DEVICES] [AT-ONCE]
# HATCHERY_BENCH_CPU=0 binds the servers to one core, HATCHERY_BENCH_BINARY names another hatchery, HATCHERY_BENCH_STORM=50000
# adds the storm.
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"
devices=${2:-3000}
at_once=${3:-32}
storm=${HATCHERY_BENCH_STORM:-0}
table=
bound() { if [ -n "${HATCHERY_BENCH_CPU:-}" ]; then exec taskset -c "$HATCHERY_BENCH_CPU" "$@"; else exec "$@"; fi; }  # in the background: the process itself

"$bin/bench_gateway" make "$work" $((devices > storm ? devices : storm))
limit_port=
start_limit() {
    bound "$bin/bench_gateway" limit "$work" "${1:-1}" > "$work/limit.port" &
    limit=$!
    background+=("$limit")
    await test -s "$work/limit.port"
    limit_port=$(cat "$work/limit.port")
}
# load NAME KIND PORT PID [options]: one row of the table; its JSON is in $row.
load() {
    local name=$1
    shift
    row=$("$bin/bench_gateway" load "$1" "$work" "${@:2}" --at-once "$at_once") || die "$name"
    say "$name $row"
    table+=$(jq -r --arg name "$name" --argjson limit "${base:-0}" \
        '"\($name)|\(.cpu_us * 10 | round / 10) us|\(.user_us * 10 | round / 10) us|\(if $limit > 0 then .cpu_us / $limit * 100 | round / 100 else 1 end)|\(.a_second | round)/s|\(.p50_ms * 10 | round / 10) ms|\(.p99_ms * 10 | round / 10) ms|\(.kib * 10 | round / 10) KiB"' <<< "$row")$'\n'
}

start_limit
load "limit" connect "$limit_port" "$limit" --count "$devices"
base=$(jq .cpu_us <<< "$row")

"$bin/hatchery" init "$data" > /dev/null
sed -i "s/^device_key = .*/device_key = \"${HATCHERY_BENCH_KEY:-p256}\"/" "$data/hatchery.toml"
# All devices of a storm share one core, so each is slower than a device is allowed to be.
[ "$storm" -eq 0 ] || sed -i 's/^connect = .*/connect = "120s"/' "$data/hatchery.toml"
ours=${HATCHERY_BENCH_BINARY:-$bin/hatchery}
rm -f "$work/ready.json"
bound "$ours" serve "$data" --port-base 0 --ready-file "$work/ready.json" >> "$work/serve.log" 2>&1 &
server=$!
await test -s "$work/ready.json"
eval "$("$bin/hatchery" env "$data")"
tutorial_registry
register_ca "$work/ca.pem" "$work/ca.key" --set-as-active --allow-auto-registration \
    --registration-config templateName=jitp-provisioning-template > /dev/null
iot create-provisioning-template --template-name FleetProvisioningTemplate --enabled \
    --provisioning-role-arn "arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-core-provisioning-role" \
    --template-body "$(document claim-template.json)" > /dev/null
claim_certificate fleet-provisioning_Policy "$(document claim-policy.json)"

load "first connect (JITP)" connect "$HATCHERY_MQTT_PORT" "$server" --count "$devices"
load "later connect" connect "$HATCHERY_MQTT_PORT" "$server" --count "$devices"
claim_options=(--claim-cert "$work/claim.pem" --claim-key "$work/claim.key" --template FleetProvisioningTemplate)
load "claim flow from a CSR" claim-csr "$HATCHERY_MQTT_PORT" "$server" --count $((devices / 2)) "${claim_options[@]}"
load "claim flow, key from the pool" claim-keys "$HATCHERY_MQTT_PORT" "$server" --from $((devices / 2)) --count $((devices / 2)) "${claim_options[@]}"
load "limit, again" connect "$limit_port" "$limit" --count "$devices"

held=$((devices > 9000 ? 9000 : devices))
load "limit, connected and idle" hold "$limit_port" "$limit" --count "$held"
load "ours, connected and idle" hold "$HATCHERY_MQTT_PORT" "$server" --count "$held"
at_once=1
load "limit, a publish" publish "$limit_port" "$limit" --publishes 200000 --count 1
load "ours, a publish" publish "$HATCHERY_MQTT_PORT" "$server" --publishes 200000 --count 1
printf '%s' "$table" | column -t -s '|'
"$bin/bench_gateway" keys

# Everybody comes back while 20 connected devices publish with QoS 1 every 20 ms. A process may have 20,000 descriptors here,
# and a device needs two of the server's: 9,000 at once.
if [ "$storm" -gt 0 ]; then
    table=
    at_once=1000
    load "first connects of $storm" connect "$HATCHERY_MQTT_PORT" "$server" --count "$storm"
    at_once=20
    "$bin/bench_gateway" load watch "$work" "$HATCHERY_MQTT_PORT" 0 --count 20 --seconds 3600 > "$work/watch.json" &
    watch=$!
    sleep 1
    at_once=9000
    load "storm of $storm" connect "$HATCHERY_MQTT_PORT" "$server" --from 20 --count $((storm - 20))
    kill -TERM "$watch"
    wait "$watch" || die "connected devices"
    printf '%s' "$table" | column -t -s '|'
    jq -r '"publishes of connected devices meanwhile: \(.samples), p50 \(.p50_ms) ms, p99 \(.p99_ms) ms, slowest \(.max_ms) ms"' "$work/watch.json"
fi
stop_server
