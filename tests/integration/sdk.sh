#!/usr/bin/env bash
# AWS's own device SDK (npm aws-iot-device-sdk-v2): JITP on the first connect, and both claim flows with its identity client.
source "$(dirname "$0")/lib.sh" "$1"

modules=$bin/sdk
mkdir -p "$modules"
cp "$(dirname "$0")/sdk/package.json" "$(dirname "$0")/sdk/devices.js" "$modules/"
[ -d "$modules/node_modules/aws-iot-device-sdk-v2" ] ||
    (cd "$modules" && npm install --no-audit --no-fund --no-package-lock > npm.log 2>&1) || die "npm: $(tail -3 "$modules/npm.log")"
device() { node "$modules/devices.js" "$@"; }

"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["123456"]\n' >> "$data/hatchery.toml"
serve
tutorial_registry

say "JITP on the SDK's first connect"
new_ca "$work/rootCA" "/O=AnyCompany/CN=IoT Devices Root CA"
register_ca "$work/rootCA.pem" "$work/rootCA.key" --set-as-active --allow-auto-registration \
    --registration-config templateName=jitp-provisioning-template > /dev/null
new_device "$work/device" "$work/rootCA" "/CN=HW-100/O=AnyCompany/OU=Prod/dnQualifier=AnyType" 90210
answer=$(device jitp "$work/device.pem" "$work/device.key" 90210 AnyCompany/90210/telemetry) || die "$answer"
equal "$(jq -r .message.text <<< "$answer")" '{"from":"sdk"}' "the SDK's own message"
equal "$(iot list-thing-groups-for-thing --thing-name 90210 | jq -r '.thingGroups[].groupName')" Prod "group of the SDK's thing"

say "claim by keys, by CSR, and refused by the hook"
iot create-provisioning-template --template-name FleetProvisioningTemplate --enabled \
    --provisioning-role-arn "arn:aws:iam::$HATCHERY_ACCOUNT:role/iot-core-provisioning-role" \
    --pre-provisioning-hook "payloadVersion=2020-04-01,targetArn=arn:aws:lambda:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT:function:FleetProvisioningHook" \
    --template-body "$(document claim-template.json)" > /dev/null
claim=$(iot create-keys-and-certificate --set-as-active --private-key-outfile "$work/claim.key" \
    --certificate-pem-outfile "$work/claim.pem" --public-key-outfile "$work/claim.public")
iot create-policy --policy-name fleet-provisioning_Policy --policy-document "$(document claim-policy.json)" > /dev/null
iot attach-policy --policy-name fleet-provisioning_Policy --target "$(jq -r .certificateArn <<< "$claim")"

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
