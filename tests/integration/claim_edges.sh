#!/usr/bin/env bash
# Claims as devices in the field make them: CBOR, requests before SUBACK and without any subscription, one client id for a whole
# fleet, a trusted user's claim, a broker that is away; and certificates that nobody came to activate.
source "$(dirname "$0")/lib.sh" "$1"

own_broker
"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
use_own_broker
serve
document() { cat "$tutorial/$1" | sed -e "s/@REGION@/$AWS_DEFAULT_REGION/g" -e "s/@ACCOUNT@/$HATCHERY_ACCOUNT/g"; }
iot create-policy --policy-name AnyTypeThing-policy --policy-document "$(document device-policy.json)" > /dev/null
iot create-provisioning-template --template-name Claims --enabled --provisioning-role-arn "arn:aws:iam::$HATCHERY_ACCOUNT:role/any" \
    --template-body '{"Parameters":{"SerialNumber":{"Type":"String"},"AWS::IoT::Certificate::Id":{"Type":"String"}},"Resources":{
        "thing":{"Type":"AWS::IoT::Thing","Properties":{"ThingName":{"Fn::Join":["",["claimed-",{"Ref":"SerialNumber"}]]}}},
        "certificate":{"Type":"AWS::IoT::Certificate","Properties":{"CertificateId":{"Ref":"AWS::IoT::Certificate::Id"},"Status":"Active"}},
        "policy":{"Type":"AWS::IoT::Policy","Properties":{"PolicyName":"AnyTypeThing-policy"}}}}' > /dev/null
claim_certificate claims "$(document claim-policy.json | sed 's/FleetProvisioningTemplate/Claims/g')"
claimant() { timeout 150 /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/claim_edges.py" "$1" "$work" "${@:2}" >&2 || die "claim_edges.py $1"; }

claimant wire
claimant trusted

say "one client id for a whole fleet, whose devices take each other's connection over"
"$bin/fleet" claim --mix --devices 6 --concurrency 3 --retries 100 --claim-client-id fleet-device --template Claims \
    --claim-cert "$work/claim.pem" --claim-key "$work/claim.key" --serial-prefix ONE --out "$work/one.jsonl" > "$work/one.txt" 2>&1 ||
    die "$(tail -5 "$work/one.txt")"
equal "$(jq -r .outcome "$work/one.jsonl" | sort | uniq -c | tr -s ' ')" " 6 provisioned" "devices of one client id"

say "without its broker: claims go on, and whoever wants a broker is closed"
kill $broker && wait $broker 2> /dev/null || true
claimant alone
published() { device_publish "$work/own" claimed-ALONE AnyCompany/claimed-ALONE/telemetry hello; }
if published 2> /dev/null; then die "acknowledged without a broker"; fi
"$mosquitto" -c "$work/broker.conf" 2> "$work/broker.log" &
background+=($!)
await published

say "a certificate that nobody came to activate is gone once its token has expired"
stop_server
sed -i 's/^#\? *ownership_token_lifetime *=.*/ownership_token_lifetime = "1s"/' "$data/hatchery.toml"
grep -q '^ownership_token_lifetime = "1s"' "$data/hatchery.toml" || die "the configuration has no ownership_token_lifetime"
serve
claimant unactivated
id=$(cat "$work/unactivated")
count() { sqlite3 "$data/hatchery.db" "SELECT COUNT(*) FROM certificates LEFT JOIN ownership_tokens ON certificate = key WHERE id = x'$id' ${1:-}"; }
has_expired() { [ "$(count "AND expires >= CAST(strftime('%s', 'now') AS INTEGER)")" = 0 ]; }
await has_expired
stop_server
serve  # looks at once, then every minute
gone() { [ "$(count)" = 0 ]; }
await gone
contains "$(iot_fails describe-certificate --certificate-id "$id")" ResourceNotFoundException "after it"
stop_server
