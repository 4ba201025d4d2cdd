#!/usr/bin/env bash
# A broker of one's own by URL (TCP) instead of the child: telemetry of a first connect reaches its subscribers.
source "$(dirname "$0")/lib.sh" "$1"

own_broker
"$bin/hatchery" init "$data" > /dev/null
use_own_broker
serve
tutorial_registry
tutorial_ca
new_device "$work/device" "$work/rootCA" "/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType" 777
mosquitto_sub -h 127.0.0.1 -p $port -q 1 -t 'AnyCompany/#' -v > "$work/received.txt" &
background+=($!)
await bash -c "mosquitto_pub -h 127.0.0.1 -p $port -q 1 -t AnyCompany/probe -m up && grep -q probe '$work/received.txt'"
device_publish "$work/device" 777 AnyCompany/777/telemetry hello || die "first connect with an upstream by URL"
await grep -qx 'AnyCompany/777/telemetry hello' "$work/received.txt"

say "without its broker the gateway refuses, and goes on when the broker is back"
kill $broker && wait $broker 2> /dev/null || true
if device_publish "$work/device" 777 AnyCompany/777/telemetry lost 2> /dev/null; then die "acknowledged without a broker"; fi
"$mosquitto" -c "$work/broker.conf" 2> "$work/broker.log" &
background+=($!)
await device_publish "$work/device" 777 AnyCompany/777/telemetry back
stop_server
