#!/usr/bin/env bash
# The JITP tutorial by its own commands: openssl, the AWS CLI, mosquitto_pub. Also the refusals of a first connect.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
serve
say "the registry of the tutorial"
tutorial_registry
equal "$(iot describe-thing-group --thing-group-name Dev | jq -r .thingGroupMetadata.parentGroupName)" AnyCompany "parent group"

say "a CA registered with its verification certificate"
new_ca "$work/rootCA" "/C=US/ST=CO/L=Denver/O=AnyCompany/OU=All/CN=IoT Devices Root CA"
ca_id=$(register_ca "$work/rootCA.pem" "$work/rootCA.key" --set-as-active --allow-auto-registration \
    --registration-config templateName=jitp-provisioning-template | jq -r .certificateId)
equal "$(iot describe-ca-certificate --certificate-id "$ca_id" | jq -r '.certificateDescription.status + " " +
    .certificateDescription.autoRegistrationStatus + " " + .registrationConfig.templateName')" \
    "ACTIVE ENABLE jitp-provisioning-template" "registered CA"

say "first connect provisions and the connection goes on"
socket=$(broker_socket)
[ -n "$socket" ] || die "the broker's socket was not found"
mosquitto_sub --unix "$socket" -i watcher -q 1 -t 'AnyCompany/#' -t 'forbidden/#' -v > "$work/received.txt" &
background+=($!)
serial=10525622389124227206
subject="/CN=HW-100/O=AnyCompany/OU=Dev/dnQualifier=AnyType"
new_device "$work/device" "$work/rootCA" "$subject" $serial
# The subscriber is there once a first message of its own arrives.
await bash -c "mosquitto_pub --unix '$socket' -q 1 -t AnyCompany/probe -m up && grep -q probe '$work/received.txt'"
device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" '{"temperature":21}' || die "first connect failed"
await grep -qx "AnyCompany/$serial/telemetry {\"temperature\":21}" "$work/received.txt"

say "thing, type, groups, certificate and policy are as the template says"
certificate_id=$(openssl x509 -in "$work/device.pem" -outform DER | sha256sum | cut -d' ' -f1)
arn=arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:cert/$certificate_id
thing=$(iot describe-thing --thing-name $serial)
equal "$(jq -r .thingTypeName <<< "$thing")" AnyType "thing type"
equal "$(jq -r .billingGroupName <<< "$thing")" AnyCompany "billing group"
equal "$(jq -cS .attributes <<< "$thing")" \
    "{\"hardwareVersion\":\"HW-100\",\"provisionedBy\":\"JITP\",\"serialNumber\":\"$serial\"}" "attributes"
equal "$(iot list-thing-groups-for-thing --thing-name $serial | jq -r '.thingGroups[].groupName')" Dev "thing group"
equal "$(iot list-thing-principals --thing-name $serial | jq -r '.principals[]')" "$arn" "principal"
equal "$(iot list-attached-policies --target "$arn" | jq -r '.policies[].policyName')" AnyTypeThing-policy "policy"
description=$(iot describe-certificate --certificate-id "$certificate_id")
equal "$(jq -r .certificateDescription.status <<< "$description")" ACTIVE "certificate status"
equal "$(jq -r .certificateDescription.caCertificateId <<< "$description")" "$ca_id" "CA of the certificate"
jq -r .certificateDescription.certificatePem <<< "$description" | openssl x509 -noout -fingerprint -sha256 > /dev/null || die "stored PEM"

say "a topic that the policy does not allow never reaches the broker"
if device_publish "$work/device" $serial forbidden/topic no 2> /dev/null; then die "a forbidden publish was acknowledged"; fi
device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" after || die "an allowed publish after it"
await grep -qx "AnyCompany/$serial/telemetry after" "$work/received.txt"
if grep -q forbidden "$work/received.txt"; then die "a forbidden message reached a subscriber"; fi

say "another client id than the thing's name is refused"
if device_publish "$work/device" someone-else "AnyCompany/$serial/telemetry" x 2> /dev/null; then die "foreign client id accepted"; fi

say "a subject without OU takes the template's Default"
new_device "$work/plain" "$work/rootCA" "/CN=HW-100/O=AnyCompany/dnQualifier=AnyType" 4711
device_publish "$work/plain" 4711 AnyCompany/4711/telemetry hello || die "device without OU"
equal "$(iot list-thing-groups-for-thing --thing-name 4711 | jq -r '.thingGroups[].groupName')" unclaimed "default group"

refused() {  # refused PREFIX CLIENT-ID WORDS-IN-THE-LOG
    local before id
    before=$(wc -l < "$work/serve.log")
    if device_publish "$1" "$2" "AnyCompany/$2/telemetry" x 2> /dev/null; then die "accepted: $1"; fi
    id=$(openssl x509 -in "$1.pem" -outform DER | sha256sum | cut -d' ' -f1)
    await bash -c "tail -n +$((before + 1)) '$work/serve.log' | grep -F '$id' | grep -qF '$3'"
    equal "$(tail -n +$((before + 1)) "$work/serve.log" | grep -F "$id" | grep -cF "$3")" 1 "log lines that say '$3'"
    contains "$(iot_fails describe-thing --thing-name "$2")" ResourceNotFoundException "thing after a refusal"
}

say "refused: a certificate that lacks a field which the template needs"
new_device "$work/lacking" "$work/rootCA" "/CN=HW-100/OU=Dev/dnQualifier=AnyType" 4712
refused "$work/lacking" 4712 "AWS::IoT::Certificate::Organization"
say "refused: unknown CA"
new_ca "$work/otherCA" "/O=Stranger/CN=Other CA"
new_device "$work/stranger" "$work/otherCA" "$subject" 4713
refused "$work/stranger" 4713 "Other CA"
say "refused: a CA of the same name that did not sign it"
new_ca "$work/twin" "/C=US/ST=CO/L=Denver/O=AnyCompany/OU=All/CN=IoT Devices Root CA"
new_device "$work/impostor" "$work/twin" "$subject" 4714
refused "$work/impostor" 4714 "not signed by any"
say "refused: an expired device certificate"
openssl req -new -newkey rsa:2048 -nodes -keyout "$work/late.key" -subj "$subject" -out "$work/late.csr" 2> /dev/null
mkdir "$work/db" && touch "$work/db/index" && echo 1269 > "$work/db/serial"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\nO=optional\nOU=optional\ndnQualifier=optional\n' \
    "$work/db/index" "$work/db/serial" "$work/db" > "$work/ca.cnf"
openssl ca -batch -config "$work/ca.cnf" -cert "$work/rootCA.pem" -keyfile "$work/rootCA.key" -in "$work/late.csr" \
    -startdate 20200101000000Z -enddate 20210101000000Z -out "$work/late.pem" -notext 2> /dev/null
refused "$work/late" 4713 "2021-01-01"
say "refused: an inactive CA"
iot update-ca-certificate --certificate-id "$ca_id" --new-status INACTIVE
new_device "$work/orphan" "$work/rootCA" "$subject" 4715
refused "$work/orphan" 4715 INACTIVE
device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" still || die "a registered device of an inactive CA stays usable"

say "deactivated while registered: refused, then accepted again"
iot update-certificate --certificate-id "$certificate_id" --new-status INACTIVE
if device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" x 2> /dev/null; then die "an INACTIVE certificate was accepted"; fi
iot update-certificate --certificate-id "$certificate_id" --new-status ACTIVE
device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" again || die "reactivated certificate"

say "everything is there after a clean restart"
stop_server
serve
equal "$(iot describe-thing --thing-name $serial | jq -r .thingName)" $serial "thing after restart"
device_publish "$work/device" $serial "AnyCompany/$serial/telemetry" restarted || die "connect after restart"
stop_server
