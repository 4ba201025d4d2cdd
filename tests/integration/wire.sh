#!/usr/bin/env bash
# Bad input on the wires of a running server: SigV4 with a wrong key, a skewed clock, a changed body; MQTT cut in half and
# 256 MB long; a station that is not one. Each gets its own clear error, is logged once, and leaves nothing behind.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
serve

say "SigV4"
contains "$(AWS_SECRET_ACCESS_KEY=wrong iot_fails list-things)" InvalidSignatureException "wrong secret"
contains "$(AWS_ACCESS_KEY_ID=AKIAXXXXXXXXXXXXXXXX iot_fails list-things)" UnrecognizedClientException "unknown access key"
equal "$(curl -s -o "$work/answer" -w '%{http_code}' "$HATCHERY_ENDPOINT/things")" 403 "unsigned request"
contains "$(cat "$work/answer")" message "body of the unsigned request's answer"

say "template: not JSON, too long, unknown function, undeclared Ref"
role=arn:aws:iam::$HATCHERY_ACCOUNT:role/any-provisioning-role
template() { iot_fails create-provisioning-template --template-name bad --provisioning-role-arn "$role" --template-body "$1"; }
contains "$(template '{"Resources":')" "JSON not well-formed" "not JSON"
contains "$(template "{\"Resources\":{}, \"x\":\"$(head -c 10300 /dev/zero | tr '\0' a)\"}")" InvalidRequestException "too long"
contains "$(template '{"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Upper":"x"}}}}}')" Fn::Upper "unknown function"
contains "$(template '{"Resources":{"t":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Ref":"Nobody"}}}}}')" Nobody "undeclared Ref"
contains "$(iot_fails describe-provisioning-template --template-name bad)" ResourceNotFoundException "template left behind"

say "CA registration"
new_ca "$work/ca" "/CN=Some CA"
openssl req -new -newkey rsa:2048 -nodes -keyout "$work/v.key" -subj "/CN=not-the-code" -out "$work/v.csr" 2> /dev/null
openssl x509 -req -in "$work/v.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -out "$work/v.pem" -days 9 2> /dev/null
contains "$(iot_fails register-ca-certificate --ca-certificate "file://$work/ca.pem" --verification-cert "file://$work/v.pem")" \
    RegistrationCodeValidationException "wrong registration code"
new_device "$work/leaf" "$work/ca" "/CN=leaf" 1
contains "$(iot_fails register-ca-certificate --ca-certificate "file://$work/leaf.pem" --verification-cert "file://$work/v.pem")" \
    CertificateValidationException "a leaf as CA"
equal "$(iot list-ca-certificates | jq '.certificates | length')" 0 "CAs left behind"

say "stations: unknown certificate, weak key, broken self-signature"
station() { curl -s --cacert "$HATCHERY_SERVER_CA" --cert "$1.pem" --key "$1.key" -o "$work/answer" -w '%{http_code}' \
    --data-binary "@$2" "https://$HATCHERY_MQTT_HOST:$HATCHERY_HTTPS_PORT/"; }
openssl req -new -newkey rsa:2048 -nodes -keyout "$work/d.key" -subj /CN=d -out "$work/good.csr" 2> /dev/null
equal "$(station "$work/leaf" "$work/good.csr")" 403 "a stranger at the factory endpoint"
"$bin/hatchery" station add line-1 --profiles device --out-cert "$work/line.pem" --out-key "$work/line.key" --data "$data"
equal "$(station "$work/line" "$work/good.csr")" 200 "the station"
openssl x509 -in "$work/answer" -noout -subject > /dev/null || die "the station's answer is no certificate"
openssl req -new -newkey rsa:1024 -nodes -keyout "$work/w.key" -subj /CN=w -out "$work/weak.csr" 2> /dev/null
equal "$(station "$work/line" "$work/weak.csr")" 400 "weak key"
contains "$(cat "$work/answer")" 1024 "what is wrong with the weak key"
openssl req -in "$work/good.csr" -outform DER | { head -c -1; printf '\001'; } > "$work/broken.der"
equal "$(station "$work/line" "$work/broken.der")" 400 "broken self-signature"
contains "$(cat "$work/answer")" signature "what is wrong with the signature"
"$bin/hatchery" station stop line-1 --data "$data"
equal "$(station "$work/line" "$work/good.csr")" 403 "a stopped station"

say "MQTT cut in half, and 256 MB long"
raw() {  # raw BYTES: sends them over mutual TLS, prints how many bytes came back before the server closed
    printf "$1" | timeout 30 openssl s_client -quiet -connect "$HATCHERY_MQTT_HOST:$HATCHERY_MQTT_PORT" \
        -cert "$work/leaf.pem" -key "$work/leaf.key" -CAfile "$HATCHERY_SERVER_CA" 2> /dev/null | wc -c
}
lines=$(wc -l < "$work/serve.log")
equal "$(raw '\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\x02\x00\x3c')" 0 "answer to a 256 MB CONNECT"
await bash -c "tail -n +$((lines + 1)) '$work/serve.log' | grep -qE 'too (large|long)|exceeds|limit'"
equal "$(raw '\x10\x14\x00\x04MQTT\x04')" 0 "answer to half a CONNECT"
kill -0 "$server" || die "the server died"
equal "$(iot list-certificates | jq '.certificates | length')" 0 "certificates left behind"
stop_server
