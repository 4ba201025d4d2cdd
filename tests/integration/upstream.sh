#!/usr/bin/env bash
# A broker of one's own by URL (TCP) instead of the child: telemetry of a first connect reaches its subscribers.
source "$(dirname "$0")/lib.sh" "$1"

mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 20000))
    printf 'listener %s 127.0.0.1\nallow_anonymous true\n' $port > "$work/broker.conf"
    "$mosquitto" -c "$work/broker.conf" 2> "$work/broker.log" &
    broker=$!
    for _ in $(seq 100); do
        mosquitto_pub -h 127.0.0.1 -p $port -t up -m up 2> /dev/null && break 2
        kill -0 $broker 2> /dev/null || break
        sleep 0.05
    done
done
background+=($broker)
"$bin/hatchery" init "$data" > /dev/null
sed -i "s|^#\? *upstream *=.*|upstream = \"127.0.0.1:$port\"|" "$data/hatchery.toml"
serve
tutorial_registry
new_ca "$work/rootCA" "/O=AnyCompany/CN=IoT Devices Root CA"
register_ca "$work/rootCA.pem" "$work/rootCA.key" --set-as-active --allow-auto-registration \
    --registration-config templateName=jitp-provisioning-template > /dev/null
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
