#!/usr/bin/env bash
# The claim tutorial: claim certificate, its policy, a template with a hook; devices by the simulator; a serial number that
# is not on the list is refused and told so; the claim certificate can do nothing else.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
seq -f 'SN-%04g' 1 40 > "$work/serials.txt"
cat >> "$data/hatchery.toml" <<EOF

[hooks.FleetProvisioningHook]
kind = "allow-list"
file = "$work/serials.txt"
EOF
serve
tutorial_registry

say "template with a pre-provisioning hook, claim certificate, claim policy"
tutorial_claim

say "CreateKeysAndCertificate and CreateCertificateFromCsr, each with 10 devices, one serial number off the list"
"$bin/fleet" claim --devices 10 --concurrency 5 --template FleetProvisioningTemplate --claim-cert "$work/claim.pem" \
    --claim-key "$work/claim.key" --serial-prefix SN-00 --serial-start 1 --serial-digits 2 --out "$work/keys.jsonl" ||
    die "claim by keys"
"$bin/fleet" claim --csr --devices 10 --concurrency 5 --template FleetProvisioningTemplate --claim-cert "$work/claim.pem" \
    --claim-key "$work/claim.key" --serial-prefix SN-00 --serial-start 11 --serial-digits 2 --out "$work/csr.jsonl" ||
    die "claim by CSR"
"$bin/fleet" claim --serial SN-9999 --expect-refused SN-9999 --template FleetProvisioningTemplate \
    --claim-cert "$work/claim.pem" --claim-key "$work/claim.key" --out "$work/bad.jsonl" || die "the refused device"
contains "$(cat "$work/bad.jsonl")" AccessDenied "what the refused device was told"
contains "$(iot_fails describe-thing --thing-name claimed-SN-9999)" ResourceNotFoundException "thing of the refused device"
equal "$(iot list-things --attribute-name provisionedBy --attribute-value claim | jq '.things | length')" 20 "claimed things"
thing=$(iot describe-thing --thing-name claimed-SN-0011)
equal "$(jq -r .attributes.serialNumber <<< "$thing")" SN-0011 "attribute of a claimed thing"
principal=$(iot list-thing-principals --thing-name claimed-SN-0011 | jq -r '.principals[0]')
equal "$(iot describe-certificate --certificate-id "${principal##*/}" | jq -r .certificateDescription.status)" ACTIVE "claimed certificate"
equal "$(iot list-attached-policies --target "$principal" | jq -r '.policies[].policyName')" AnyTypeThing-policy "its policy"

say "what the tutorials ask beside: the endpoint, and a certificate's PEM, as text"
host=$(aws --endpoint-url "$HATCHERY_ENDPOINT" iot describe-endpoint --endpoint-type iot:Data-ATS --query endpointAddress --output text)
equal "$host" "$(aws --endpoint-url "$HATCHERY_ENDPOINT" iot describe-endpoint --output text)" "the endpoint of either kind"
contains "$(openssl s_client -connect "$HATCHERY_MQTT_HOST:$HATCHERY_MQTT_PORT" -CAfile "$HATCHERY_SERVER_CA" -verify_hostname "$host" \
    -cert "$work/claim.pem" -key "$work/claim.key" < /dev/null 2> /dev/null)" "Verified peername: $host" "the server's certificate"
aws --endpoint-url "$HATCHERY_ENDPOINT" iot describe-certificate --certificate-id "${principal##*/}" \
    --query "certificateDescription.certificatePem" --output text > "$work/device.pem"
equal "$(openssl x509 -in "$work/device.pem" -outform DER | sha256sum | cut -d' ' -f1)" "${principal##*/}" "the PEM of the certificate"

say "the operator sees which hook refused whom"
contains "$(grep -F FleetProvisioningHook "$work/serve.log")" SN-9999 "log of the hook"

say "a claim certificate publishes nothing else"
if device_publish "$work/claim" any AnyCompany/x/telemetry x 2> /dev/null; then die "claim certificate published telemetry"; fi

say "a deactivated claim certificate provisions nobody"
iot update-certificate --certificate-id "$(jq -r .certificateId <<< "$claim")" --new-status INACTIVE
if "$bin/fleet" claim --serial SN-0030 --retries 0 --template FleetProvisioningTemplate --claim-cert "$work/claim.pem" \
    --claim-key "$work/claim.key" > /dev/null; then die "provisioned by an INACTIVE claim certificate"; fi
device=$(iot list-things --attribute-name serialNumber --attribute-value SN-0001 | jq -r '.things[0].thingName')
equal "$device" claimed-SN-0001 "an already provisioned device"
stop_server
