#!/usr/bin/env bash
# Topic rules as the seed's tutorial makes them with the AWS CLI: telemetry goes to S3-compatible storage, a mailbox, an HTTP
# server, a file and another topic; what was promised to a device by its PUBACK is done although the server is killed.
source "$(dirname "$0")/lib.sh" "$1"

npm_modules s3rver
mkfifo "$work/ports"
tail -f /dev/null --pid=$$ | /usr/bin/python3 "$top/tests/data/rules/sinks.py" "$work/ports" "$work/got.jsonl" "$work/open" &
background+=($!)
read -r web_port mail_port < "$work/ports"
touch "$work/got.jsonl"

"$bin/hatchery" init "$data" > /dev/null
printf 'rules/secret+key\n' > "$data/s3-secret.txt"
cat >> "$data/hatchery.toml" <<EOF

[rules]
attempts = 50
s3_endpoint = "http://127.0.0.1:$web_port"
s3_region = "eu-west-3"
s3_access_key_id = "AKIDRULES"
s3_secret_file = "s3-secret.txt"
smtp_host = "127.0.0.1"
smtp_port = $mail_port
mail_from = "hatchery@example.com"
mail = { iot-webinar-sns-topic = "first@example.com, second@example.com" }
EOF
serve
iot create-keys-and-certificate --set-as-active --private-key-outfile "$work/device.key" \
    --certificate-pem-outfile "$work/device.pem" > "$work/device.json"
iot create-policy --policy-name all --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}' > /dev/null
iot attach-policy --policy-name all --target "$(jq -r .certificateArn "$work/device.json")"
rule() { # rule NAME SQL ACTIONS [ERROR-ACTION]: a topicRulePayload as file://
    jq -n --arg sql "$2" --argjson actions "$3" --argjson error "${4:-null}" \
        '{sql: $sql, actions: $actions, awsIotSqlVersion: "2016-03-23"} + (if $error then {errorAction: $error} else {} end)' > "$work/$1.json"
    printf 'file://%s' "$work/$1.json"
}
got() { jq -c "select(.how == \"$1\")" "$work/got.jsonl"; }
has_got() { [ "$(got "$1" | wc -l)" -ge "$2" ]; }
nothing_left() { [ "$(sqlite3 "$data/hatchery.db" 'SELECT count(*) FROM rule_queue')" = 0 ]; }
loaded() { [ "$(grep -o 'rules_loaded count=[0-9]*' "$work/serve.log" | tail -1)" = "rules_loaded count=$1" ]; }

say "the seed's rule and its actions"
role=arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-webinar-s3-role
actions=$(jq -n --arg role "$role" --arg web "http://127.0.0.1:$web_port" '[
    {s3: {roleArn: $role, bucketName: "iot-webinar-audits", key: "${topic()}/${timestamp()} +~ä"}},
    {sns: {roleArn: $role, targetArn: "arn:aws:sns:us-east-1:123456789012:iot-webinar-sns-topic", messageFormat: "RAW"}},
    {http: {url: ($web + "/hook/${topic(2)}"), headers: [{key: "X-Device", value: "${clientid()}"}]}},
    {cloudwatchLogs: {roleArn: $role, logGroupName: "audits/${topic(2)}.jsonl"}},
    {republish: {roleArn: $role, topic: "seen/${topic(2)}", qos: 1}}]')
iot create-topic-rule --rule-name IotWebinarRule \
    --topic-rule-payload "$(rule IotWebinarRule "SELECT * FROM 'abcde-12345/+/audit'" "$actions")"
equal "$(iot get-topic-rule --rule-name IotWebinarRule | jq -r '.rule | [.ruleName, .sql, (.actions | length), .ruleDisabled] | @tsv')" \
    "$(printf "IotWebinarRule\tSELECT * FROM 'abcde-12345/+/audit'\t5\tfalse")" "get-topic-rule"
await loaded 1
timeout 60 stdbuf -oL mosquitto_sub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" --cert "$work/device.pem" \
    --key "$work/device.key" -i watcher -q 1 -t 'seen/#' -C 1 -F '%t %p' -d > "$work/seen.txt" 2>&1 &
watcher=$!
await grep -q Subscribed "$work/seen.txt"
message='{"message": "local scan", "ok":true}'
device_publish "$work/device" sensor abcde-12345/device-1/audit "$message"
device_publish "$work/device" sensor abcde-12345/device-1/other "$message"
await has_got put 1
await has_got mail 1
await has_got post 1
equal "$(got put | jq -c '[.same, .body]')" "$(jq -nc --arg body "$message" '[true, $body]')" "the object, signed as botocore signs it"
[[ "$(got put | jq -r .path)" =~ ^/iot-webinar-audits/abcde-12345/device-1/audit/[0-9]{13}%20%2B~%C3%A4$ ]] || die "the key: $(got put)"
equal "$(got mail | jq -c '[.to, .sender, .subject, .body]')" "$(jq -nc --arg body "$message" \
    '[["first@example.com", "second@example.com"], "hatchery@example.com", "Rule IotWebinarRule", $body]')" "the mail"
equal "$(got post | jq -c '[.path, .device, .body]')" "$(jq -nc --arg body "$message" '["/hook/device-1", "sensor", $body]')" "the request"
wait $watcher || die "nothing was republished: $(cat "$work/seen.txt")"
contains "$(cat "$work/seen.txt")" "seen/device-1 $message" "the republished message"
in_file() { [ "$(cat "$data/rules/audits/device-1.jsonl" 2> /dev/null | wc -l)" -ge "$1" ]; }
await in_file 1
equal "$(cat "$data/rules/audits/device-1.jsonl")" "$message" "the file"

say "messages by HTTPS, of a device and of an operator, wills at once and with a delay"
iot create-topic-rule --rule-name Others --topic-rule-payload "$(rule Others \
    "SELECT *, topic(2) AS how, clientid() AS client, principal() AS principal FROM 'others/+'" '[{"cloudwatchLogs":{"roleArn":"r","logGroupName":"others"}}]')"
await loaded 2
equal "$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$HATCHERY_SERVER_CA" --cert "$work/device.pem" --key "$work/device.key" \
    --data '{"n":1}' "https://localhost:$HATCHERY_HTTPS_PORT/topics/others/https?qos=1")" 200 "a device's POST"
printf '{"n":2}' > "$work/n2"
aws --endpoint-url "$HATCHERY_ENDPOINT" iot-data publish --topic others/api --qos 1 --payload "fileb://$work/n2"
# dies CLIENT-ID [ARGUMENT...]: a client with a will is let in and killed.
dies() {
    stdbuf -oL mosquitto_sub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" --cert "$work/device.pem" \
        --key "$work/device.key" -i "$1" -t nothing -d --will-topic others/will --will-payload '{"n":3}' "${@:2}" > "$work/$1.txt" 2>&1 &
    local client=$!
    await grep -q Subscribed "$work/$1.txt"
    kill -9 "$client"
    wait "$client" 2> /dev/null || true
}
timeout 60 stdbuf -oL mosquitto_sub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" --cert "$work/device.pem" \
    --key "$work/device.key" -i heir -q 1 -t others/will -C 2 -d > "$work/heir.txt" 2>&1 &
heir=$!
await grep -q Subscribed "$work/heir.txt"
dies dying
dies late -V 5 -x 60 -D WILL will-delay-interval 1
others() { [ "$(cat "$data/rules/others" 2> /dev/null | wc -l)" -ge 4 ]; }
await others
id=$(jq -r .certificateId "$work/device.json")
equal "$(jq -c '[.n, .how, .client, .principal]' "$data/rules/others" | sort)" \
    "$(printf '[1,"https","n/a","%s"]\n[2,"api","n/a","%s"]\n[3,"will","dying","%s"]\n[3,"will","late","%s"]' "$id" "$AWS_ACCESS_KEY_ID" "$id" "$id")" "what rules saw"
wait $heir || die "the broker published another number of wills than rules saw: $(cat "$work/heir.txt")"
iot delete-topic-rule --rule-name Others
await loaded 1

say "change, disable, enable, list, delete, and what is refused"
iot replace-topic-rule --rule-name IotWebinarRule --topic-rule-payload "$(rule IotWebinarRule \
    "SELECT message AS msg, topic(1) AS tenant_id FROM '+/+/audit' WHERE ok AND NOT message = 'quiet'" \
    '[{"cloudwatchLogs":{"roleArn":"r","logGroupName":"augmented"}}]')"
iot disable-topic-rule --rule-name IotWebinarRule
equal "$(iot list-topic-rules --rule-disabled | jq -r '.rules[] | [.ruleName, .topicPattern, .ruleDisabled] | @tsv')" \
    "$(printf 'IotWebinarRule\t+/+/audit\ttrue')" "list-topic-rules"
equal "$(iot list-topic-rules --no-rule-disabled | jq '.rules | length')" 0 "enabled rules"
await loaded 0
device_publish "$work/device" sensor abcde-12345/device-1/audit '{"message":"while disabled","ok":true}'
iot enable-topic-rule --rule-name IotWebinarRule
await loaded 1
device_publish "$work/device" sensor abcde-12345/device-1/audit '{"message":"quiet","ok":true}'
device_publish "$work/device" sensor abcde-12345/device-1/audit '{"message":"scan","ok":true}'
augmented() { [ -s "$data/rules/augmented" ]; }
await augmented
equal "$(cat "$data/rules/augmented")" '{"msg":"scan","tenant_id":"abcde-12345"}' "the augmented message"
refusal=$(iot_fails create-topic-rule --rule-name Broken --topic-rule-payload "$(rule Broken "SELECT * FRM 'a'" '[]')")
contains "$refusal" "SqlParseException" "a mistake in the SQL"
contains "$refusal" "expected FROM, found FRM (at /sql 1:10)" "its place"
contains "$(iot_fails create-topic-rule --rule-name IotWebinarRule --topic-rule-payload "file://$work/IotWebinarRule.json")" \
    "ResourceAlreadyExistsException" "a second rule of the name"
iot delete-topic-rule --rule-name IotWebinarRule
contains "$(iot_fails get-topic-rule --rule-name IotWebinarRule)" "UnauthorizedException" "a rule that is gone"

say "a rule on the service's own events: a device that waits to be activated"
new_ca "$work/jitr" "/CN=JITR CA"
register_ca "$work/jitr.pem" "$work/jitr.key" --set-as-active --allow-auto-registration > /dev/null
new_device "$work/new" "$work/jitr" "/CN=new" 42
iot create-topic-rule --rule-name Registered --topic-rule-payload "$(rule Registered \
    "SELECT certificateStatus AS status FROM '\$aws/events/certificates/registered/+'" \
    '[{"cloudwatchLogs":{"roleArn":"r","logGroupName":"registered"}}]')"
await loaded 1
device_publish "$work/new" new x y 2> /dev/null && die "a device that waits to be activated came in"
registered() { [ -s "$data/rules/registered" ]; }
await registered
equal "$(head -1 "$data/rules/registered")" '{"status":"PENDING_ACTIVATION"}' "the event"
iot delete-topic-rule --rule-name Registered
await loaded 0

say "a rule on what another one republishes, and rules that run in circles"
iot create-topic-rule --rule-name Inward --topic-rule-payload "$(rule Inward "SELECT * FROM 'outer/+'" '[{"republish":{"roleArn":"r","topic":"inner/${topic(2)}"}}]')"
iot create-topic-rule --rule-name Round --topic-rule-payload "$(rule Round "SELECT *, clientid() AS client FROM 'inner/+'" \
    '[{"cloudwatchLogs":{"roleArn":"r","logGroupName":"inner"}},{"republish":{"roleArn":"r","topic":"inner/${topic(2)}"}}]')"
await loaded 2
device_publish "$work/device" sensor outer/1 '{"n":1}'
inner() { [ "$(cat "$data/rules/inner" 2> /dev/null | wc -l)" -ge 4 ] && nothing_left; }
await inner
equal "$(jq -c . "$data/rules/inner" | sort -u)" '{"client":"n/a","n":1}' "what went round, and came to an end"
contains "$(cat "$work/serve.log")" "republish_ended rule=Round topic=inner/1" "the end of the circle in the log"
iot delete-topic-rule --rule-name Inward
iot delete-topic-rule --rule-name Round
await loaded 0

say "kill -9 after the PUBACK: every message's action is done"
iot create-topic-rule --rule-name Later --topic-rule-payload "$(rule Later "SELECT * FROM 'later/+'" \
    "[{\"http\":{\"url\":\"http://127.0.0.1:$web_port/later\"}}]")"
await loaded 1
seq -f '{"n":%g}' 1 20 | timeout 60 mosquitto_pub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" \
    --cert "$work/device.pem" --key "$work/device.key" -i sensor -q 1 -t later/1 -l
kill -9 "$server"
wait "$server" 2> /dev/null || true
server=
touch "$work/open"
serve
all_later() { [ "$(got post | jq -r 'select(.path == "/later") | .body' | sort -u | wc -l)" -eq 20 ]; }
await all_later

say "an action that keeps failing ends in the error action"
node "$modules/s3.js" "$work/s3" iot-webinar-audits > "$work/s3-port" &
background+=($!)
await test -s "$work/s3-port"
storage=http://127.0.0.1:$(cat "$work/s3-port")
stop_server
printf 'S3RVER\n' > "$data/s3-secret.txt"
sed -i "s|^attempts = .*|attempts = 1|; s|^s3_endpoint = .*|s3_endpoint = \"$storage\"|; s|^s3_access_key_id = .*|s3_access_key_id = \"S3RVER\"|" "$data/hatchery.toml"
serve
iot create-topic-rule --rule-name Failing --topic-rule-payload "$(rule Failing "SELECT * FROM 'failing/+'" \
    "[{\"http\":{\"url\":\"http://127.0.0.1:$web_port/never\"}}]" \
    '{"cloudwatchLogs":{"roleArn":"r","logGroupName":"failures/${topic(2)}"}}')"
await loaded 2
device_publish "$work/device" sensor failing/x '{"n":1}'
failed() { [ -s "$data/rules/failures/x" ]; }
await failed
equal "$(jq -c '[.ruleName, .topic, .base64OriginalPayload, .failures[0].errorMessage]' "$data/rules/failures/x")" \
    '["Failing","failing/x","eyJuIjoxfQ==","expected a status of 200 to 299, found 503"]' "what the error action got"
await nothing_left

say "a storage that others wrote takes an object and gives it back to the AWS CLI (it looks at no signature: sinks.py does)"
iot create-topic-rule --rule-name Objects --topic-rule-payload "$(rule Objects "SELECT * FROM 'objects/+'" \
    '[{"s3":{"roleArn":"r","bucketName":"iot-webinar-audits","key":"${topic()} +~ä/1"}}]')"
await loaded 3
device_publish "$work/device" sensor objects/x '{"n":7}'
s3api() { AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER aws --endpoint-url "$storage" s3api "$@"; }
object() { s3api get-object --bucket iot-webinar-audits --key 'objects/x +~ä/1' "$work/object"; }
await object
equal "$(cat "$work/object")" '{"n":7}' "the object"
equal "$(s3api list-objects --bucket iot-webinar-audits | jq -r '.Contents[].Key')" 'objects/x +~ä/1' "its key"
await nothing_left
