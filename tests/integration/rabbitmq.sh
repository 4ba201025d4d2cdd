#!/usr/bin/env bash
# RabbitMQ with its MQTT plugin as the upstream broker, by URL: first connect, policy, events, retained messages, wills, persistent
# sessions, take-over, and what goes on when it is lost.
source "$(dirname "$0")/lib.sh" "$1"

# A node of our own: no AMQP port, everything it writes below $work, its name server (epmd) too.
rabbit() { HOME=$work/rabbit ERL_EPMD_PORT=$epmd ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_NODENAME=n$port@localhost \
    RABBITMQ_MNESIA_BASE=$work/rabbit/mnesia RABBITMQ_LOG_BASE=$work/rabbit RABBITMQ_LOGS=- RABBITMQ_DIST_PORT=$dist \
    RABBITMQ_ENABLED_PLUGINS_FILE=$work/rabbit/plugins RABBITMQ_CONF_ENV_FILE=/dev/null \
    RABBITMQ_CONFIG_FILE=$work/rabbit/rabbitmq.conf RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +sbwt none' \
    exec /usr/lib/rabbitmq/bin/rabbitmq-server; }
rabbit_is_up() {
    kill -0 $broker 2> /dev/null || die "RabbitMQ ended: $(tail -5 "$work/rabbit.log")"
    mosquitto_pub -h 127.0.0.1 -p $port -q 1 -t up -m up
}
port=$((20000 + RANDOM % 20000)) epmd=$((port + 1)) dist=$((port + 2))
epmd -port $epmd -address 127.0.0.1 > /dev/null 2>&1 &  # else RabbitMQ starts one that outlives the test
background+=($!)
mkdir "$work/rabbit"
echo '[rabbitmq_mqtt].' > "$work/rabbit/plugins"
printf '%s\n' 'listeners.tcp = none' "mqtt.listeners.tcp.1 = 127.0.0.1:$port" 'mqtt.allow_anonymous = true' \
    'log.console = true' 'log.console.level = warning' > "$work/rabbit/rabbitmq.conf"
(rabbit) > "$work/rabbit.log" 2>&1 &
broker=$!
background+=($broker)
"$bin/hatchery" init "$data" > /dev/null
until rabbit_is_up > /dev/null 2>&1; do  # Erlang on a busy machine takes its time
    [ $SECONDS -lt 180 ] || die "RabbitMQ does not accept: $(tail -5 "$work/rabbit.log")"
    sleep 0.1
done
use_own_broker
serve
tutorial_registry
tutorial_ca
iot create-policy --policy-name all --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}' > /dev/null
mosquitto_sub -h 127.0.0.1 -p $port -i watcher -q 1 -t 'AnyCompany/#' -t 'will/#' -t '$aws/events/presence/#' -v > "$work/received.txt" &
background+=($!)
await bash -c "mosquitto_pub -h 127.0.0.1 -p $port -q 1 -t AnyCompany/probe -m up && grep -q probe '$work/received.txt'"

client() {  # client COMMAND …: one of mosquitto's clients as the device 801
    local command=$1
    shift
    exec timeout --foreground 30 "$command" -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" \
        --cert "$work/one.pem" --key "$work/one.key" -i 801 -q 1 "$@"
}

say "a first connect's message goes through RabbitMQ, a forbidden one does not"
subject=/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType
new_device "$work/one" "$work/rootCA" "$subject" 801
device_publish "$work/one" 801 AnyCompany/801/telemetry hello || die "first connect"
await grep -qx 'AnyCompany/801/telemetry hello' "$work/received.txt"
await grep -q '^$aws/events/presence/connected/801 ' "$work/received.txt"
if device_publish "$work/one" 801 forbidden/topic no 2> /dev/null; then die "a forbidden publish was acknowledged"; fi

say "retained messages, a session that outlives its connection, a will, and the newer of two connections"
id=$(openssl x509 -in "$work/one.pem" -outform DER | sha256sum | cut -d' ' -f1)
iot attach-policy --policy-name all --target "arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:cert/$id"
(client mosquitto_pub -r -t kept/801 -m stays) || die "retained publish"
equal "$(client mosquitto_sub -C 1 -t kept/801)" stays "retained message"
(client mosquitto_sub -c -t later/801 -E) || die "persistent session"
mosquitto_pub -h 127.0.0.1 -p $port -q 1 -t later/801 -m waited
equal "$(client mosquitto_sub -c -C 1 -t later/801)" waited "message of the session"
connects() { [ "$(grep -c '^$aws/events/presence/connected/801 ' "$work/received.txt")" -ge "$1" ]; }
await connects 6  # the two of the first step, and four
(client mosquitto_sub -t nothing/801 --will-topic will/801 --will-payload died --will-qos 1) &
older=$!
background+=($older)
await connects 7
pkill -9 -P $older
await grep -qx 'will/801 died' "$work/received.txt"
(client mosquitto_sub -t nothing/801) > /dev/null 2>&1 &
background+=($!)
await connects 8
device_publish "$work/one" 801 AnyCompany/801/telemetry newer || die "take-over"
await grep -q '^$aws/events/presence/disconnected/801 .*"DUPLICATE_CLIENTID"' "$work/received.txt"

say "RabbitMQ is lost: a new device is registered all the same, and nothing is acknowledged"
kill $broker && wait $broker 2> /dev/null || true
new_device "$work/two" "$work/rootCA" "$subject" 802
if device_publish "$work/two" 802 AnyCompany/802/telemetry lost 2> /dev/null; then die "acknowledged without a broker"; fi
equal "$(iot describe-thing --thing-name 802 | jq -r .thingName)" 802 "registered without a broker"
stop_server
