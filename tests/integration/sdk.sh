#!/usr/bin/env bash
# AWS's own device SDK (npm aws-iot-device-sdk-v2): JITP on the first connect, and both claim flows with its identity client.
source "$(dirname "$0")/lib.sh" "$1"

npm_modules aws-iot-device-sdk-v2
device() { node "$modules/devices.js" "$@"; }

"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["123456"]\n' >> "$data/hatchery.toml"
serve
tutorial_registry

say "JITP on the SDK's first connect"
tutorial_ca
new_device "$work/device" "$work/rootCA" "/CN=HW-100/O=AnyCompany/OU=Prod/dnQualifier=AnyType" 90210
answer=$(device jitp "$work/device.pem" "$work/device.key" 90210 AnyCompany/90210/telemetry) || die "$answer"
equal "$(jq -r .message.text <<< "$answer")" '{"from":"sdk"}' "the SDK's own message"
equal "$(iot list-thing-groups-for-thing --thing-name 90210 | jq -r '.thingGroups[].groupName')" Prod "group of the SDK's thing"

say "claim by keys, by CSR, and refused by the hook"
tutorial_claim

answer=$(device claim "$work/claim.pem" "$work/claim.key" FleetProvisioningTemplate 123456-1) || die "$answer"
equal "$(jq -r .thingName <<< "$answer")" claimed-123456-1 "thing of the claim by keys"
equal "$(jq -r .deviceConfiguration.telemetryInterval <<< "$answer")" 60 "device configuration"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/own.key" -subj /CN=own -out "$work/own.csr" 2> /dev/null
answer=$(device claim "$work/claim.pem" "$work/claim.key" FleetProvisioningTemplate 123456-2 csr "$work/own.csr" "$work/own.key") || die "$answer"
equal "$(jq -r .thingName <<< "$answer")" claimed-123456-2 "thing of the claim by CSR"
answer=$(device claim "$work/claim.pem" "$work/claim.key" FleetProvisioningTemplate 999999-1) || die "$answer"
equal "$(jq -r '.refused.statusCode' <<< "$answer")" 403 "status the refused device is told"
contains "$(iot_fails describe-thing --thing-name claimed-999999-1)" ResourceNotFoundException "thing of the refused device"
stop_server
