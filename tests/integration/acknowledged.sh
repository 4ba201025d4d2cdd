#!/usr/bin/env bash
# kill -9 right after each acknowledged write (eclipse/mosquitto#3058, #2938): after the restart all of it is there.
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
serve
power_cut() { # the power goes, and comes back
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    serve
}
request() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "$2" -out "$1.csr" 2> /dev/null; }
post() { # post WHO PATH FILE: the answer in the file answer
    equal "$(curl -sS --cacert "$data/ca/root.crt" --cert "$1.crt" --key "$1.key" --data-binary "@$3" -o answer -w '%{http_code}' \
        "https://localhost:$HATCHERY_HTTPS_PORT$2")" "${4:-200}" "$2 of $1: $(cat answer)"
}
id_of() { openssl x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1; }

say "what the factory line answers"
request device /CN=device/serialNumber=SN-1
post station / device.csr
power_cut
cp answer device.crt
contains "$("$bin/hatchery" ledger search SN-1 --data "$data")" "\"certificateId\":\"$(id_of device.crt)\"" "a signed certificate"
request next /CN=device/serialNumber=SN-1
post device / next.csr
cp answer next.crt
power_cut
post device / next.csr
cmp answer next.crt || die "the renewed certificate is gone"
"$bin/hatchery" station stop line-1 --data "$data"
power_cut
post station / device.csr 403
"$bin/hatchery" revoke next.crt --reason keyCompromise --data "$data" > /dev/null
power_cut
post next / next.csr 403
contains "$(cat answer)" "revoked: keyCompromise" "a revoked device"

say "what the control plane answers"
iot create-thing --thing-name thing-1 > /dev/null
power_cut
iot describe-thing --thing-name thing-1 > /dev/null
policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}'
iot create-policy --policy-name all --policy-document "$policy" > /dev/null
power_cut
arn=$(iot create-keys-and-certificate --set-as-active --query certificateArn --output text)
power_cut
iot attach-policy --policy-name all --target "$arn"
power_cut
equal "$(iot list-attached-policies --target "$arn" --query 'policies[0].policyName' --output text)" all "an attached policy"
iot attach-thing-principal --thing-name thing-1 --principal "$arn"
power_cut
equal "$(iot list-thing-principals --thing-name thing-1 --query 'principals[0]' --output text)" "$arn" "an attached certificate"
iot update-certificate --certificate-id "${arn##*/}" --new-status REVOKED
power_cut
equal "$(iot describe-certificate --certificate-id "${arn##*/}" --query certificateDescription.status --output text)" REVOKED "a status"
contains "$("$bin/hatchery" ledger search "${arn##*/}" --data "$data")" '"kind":"revoked"' "the ledger's row of it"
stop_server
"$bin/hatchery" ledger verify --data "$data" > /dev/null
