#!/usr/bin/env bash
# Rotation of many devices' certificates while the server is killed twice: at every moment each device has a certificate that
# works, in the end a new one, and the old ones are retired. HATCHERY_ROTATION_DEVICES devices (24 by default).
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"

devices=${HATCHERY_ROTATION_DEVICES:-24}
"$bin/hatchery" init "$data" > /dev/null
# Devices know one address: the server comes back where it was. Below the ports that clients' sockets get.
serve_at() {
    rm -f "$work/ready.json"
    "$bin/hatchery" serve "$data" --port-base "$1" --ready-file "$work/ready.json" >> "$work/serve.log" 2>&1 &
    server=$!
    until [ -s "$work/ready.json" ]; do
        kill -0 "$server" 2> /dev/null || { server=; return 1; }
        sleep 0.05
    done
}
for _ in 1 2 3 4 5 6 7 8; do
    base=$((10000 + RANDOM % 10000))
    serve_at "$base" && break
done
[ -n "$server" ] || die "no free ports"
serve_again() { serve_at "$base"; }
eval "$("$bin/hatchery" env "$data")"
tutorial_registry
tutorial_factory
arn=arn:aws:iot:$AWS_DEFAULT_REGION:$HATCHERY_ACCOUNT
cat > rotation-policy.json << END
{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":["$arn:topic/\$aws/things/\${iot:Connection.Thing.ThingName}/jobs/*","$arn:topic/\$aws/certificates/create-from-csr/*"]},
 {"Effect":"Allow","Action":"iot:Subscribe","Resource":["$arn:topicfilter/\$aws/things/\${iot:Connection.Thing.ThingName}/jobs/*","$arn:topicfilter/\$aws/certificates/create-from-csr/*"]}]}
END
iot create-policy --policy-name rotation --policy-document file://rotation-policy.json > /dev/null
iot attach-policy --policy-name rotation --target "$arn:thinggroup/AnyCompany"

say "$devices devices by JITP"
mkdir identities
jitp() {
    "$bin/fleet" jitp --devices "$1" --serial-prefix "$2" --concurrency 8 --organization AnyCompany --ou Dev --dn-qualifier AnyType \
        --station-cert station.pem --station-key station.key --keep "$3" > made || die "$(cat made)"
}
jitp "$devices" P- identities
equal "$(find identities -name '*.pem' | wc -l)" "$devices" "kept identities"

# check_identities BEFORE|NOW: what each device could connect with. On the device first, then in the registry: a certificate
# that a device holds at the first look and that is ACTIVE at the second one works in between.
cat > identities.py << 'PYTHON'
import base64, glob, hashlib, json, os, re, subprocess, sys

def held(folder):
    devices = {}
    for path in glob.glob(folder + "/*.pem"):
        thing = os.path.basename(path).split(".")[0]
        try:
            blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", open(path).read(), re.S)
        except FileNotFoundError:  # the next certificate just became the present one
            blocks = []
        if blocks:
            devices.setdefault(thing, set()).add(hashlib.sha256(base64.b64decode(blocks[0])).hexdigest())
    return devices

def active():
    text = subprocess.run(["aws", "--endpoint-url", os.environ["HATCHERY_ENDPOINT"], "--output", "json", "iot", "list-certificates"],
                          check=True, capture_output=True).stdout
    return {one["certificateId"] for one in json.loads(text)["certificates"] if one["status"] == "ACTIVE"}

before = held(sys.argv[1])
working = active()
without = {thing for thing, ids in before.items() if not ids & working}
# Between the looks a device may have got another one and its old one may be retired: then it holds more by now.
again = held(sys.argv[1])
without = {thing for thing in without if again.get(thing, set()) <= before[thing]}
print(json.dumps({"devices": len(before), "without": sorted(without), "held": {thing: sorted(ids) for thing, ids in again.items()}}))
PYTHON
everybody_works() {
    python3 identities.py identities > looked.json || die "identities.py"
    equal "$(jq -c '[.devices, .without]' looked.json)" "[$devices,[]]" "devices, and those without a certificate that works, $1"
}
everybody_works "before"
jq -r '.held[][]' looked.json | sort > before

say "rotation, with two kills"
"$bin/hatchery" rotate --group AnyCompany --job r1 --report report --json --data "$data" > summary 2> progress &
rotation=$!
"$bin/fleet" rotate --identities identities --concurrency 4 --patience 900 --out rotated.jsonl > rotated 2>&1 &
fleet=$!
background+=($rotation $fleet)
at_least() { [ "$(cat rotated.jsonl 2> /dev/null | wc -l)" -ge "$1" ]; }
for part in 6 3; do
    deadline=$((SECONDS + 600))
    until at_least $((devices / part)); do
        [ $SECONDS -lt $deadline ] || die "devices do not go on: $(tail -5 rotated)"
        sleep 0.05
    done
    everybody_works "on the way"
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    await serve_again
    everybody_works "after a kill"
done
wait $fleet || die "devices: $(tail -30 rotated)"
wait $rotation || die "rotate: $(cat summary progress)"
equal "$(jq -c '[.jobId, .status, .devices, .executions, .notRotated]' summary)" \
    "[\"r1\",\"COMPLETED\",$devices,{\"SUCCEEDED\":$devices},[]]" "summary"
equal "$(jq -s 'map(select(.status == "SUCCEEDED" and (.certificates | length) == 1)) | length' report)" "$devices" "lines of the report"
contains "$(cat progress)" "$devices of $devices devices, $devices rotated" "progress"
contains "$("$bin/hatchery" rotate --job r1 --data "$data" 2> /dev/null)" "COMPLETED, $devices devices, $devices SUCCEEDED" "watching it again"

say "everybody has a new certificate that works; every old one is retired"
everybody_works "in the end"
jq -r '.held[][]' looked.json | sort > after
equal "$(wc -l < after)" "$devices" "certificates: no device has a half-done exchange"
equal "$(comm -12 before after | wc -l)" 0 "certificates that stayed"
equal "$(jq -r '.certificates[].certificateId' report | sort)" "$(cat after)" "the report's certificates"
iot list-certificates > certificates
equal "$(jq -r --rawfile old before '($old | split("\n")) as $ids | .certificates[] | select(.certificateId | IN($ids[])) | .status' certificates |
    sort | uniq -c | xargs)" "$devices REVOKED" "the old certificates"

thing=$(basename "$(find identities -name '*.pem' | sort | head -1)" .pem)
say "things whose certificates end soon, and what is refused"
summary=$("$bin/hatchery" rotate --expiring 1h --job none --data "$data" 2> /dev/null)
equal "$summary" "job none: COMPLETED, 0 devices" "nothing ends within an hour"
"$bin/hatchery" rotate --expiring 9999w --job r3 --detach --data "$data" > /dev/null
equal "$(iot describe-job --job-id r3 --query job.status --output text)" IN_PROGRESS "job of everything that ends"
"$bin/fleet" rotate --identities identities --concurrency 8 --patience 900 > rotated 2>&1 || die "devices: $(tail -30 rotated)"
summary=$("$bin/hatchery" rotate --job r3 --data "$data" 2> /dev/null)
equal "$summary" "job r3: COMPLETED, $devices devices, $devices SUCCEEDED" "the second rotation"
everybody_works "after the second rotation"
fails() {
    local code=0 text
    text=$("$bin/hatchery" rotate "${@:3}" --data "$data" 2>&1 > /dev/null) || code=$?
    equal "$code" "$1" "exit code of rotate ${*:3}: $text"
    contains "$text" "$2" "rotate ${*:3}"
}
iot create-job --job-id other --targets "$arn:thing/$thing" --document '{}' > /dev/null
fails 2 "expected one of --group, --thing and --expiring"
fails 2 "expected one of --group, --thing and --expiring" --group AnyCompany --thing "$thing"
fails 2 "expected a time of the form 30d" --expiring soon
fails 1 "job r1 exists already" --group AnyCompany --job r1
fails 1 "job nothing does not exist" --job nothing
fails 1 "job other is not a rotation" --job other
fails 1 "thing nobody does not exist" --thing nobody

say "a device that fails half-way keeps its certificate"
"$bin/hatchery" rotate --thing "$thing" --job r2 --detach --retries 0 --data "$data" > /dev/null
openssl ecparam -name prime256v1 -genkey -noout -out half.key 2> /dev/null
openssl x509 -x509toreq -in "identities/$thing.pem" -signkey half.key -out half.csr 2> /dev/null
jq -n --rawfile csr half.csr '{certificateSigningRequest: $csr}' > half.json
principals() { iot list-thing-principals --thing-name "$thing" | jq '.principals | length'; }
connect() { # connect PEM-FILE: as the device does
    timeout 60 mosquitto_pub -h "$HATCHERY_MQTT_HOST" -p "$HATCHERY_MQTT_PORT" --cafile "$HATCHERY_SERVER_CA" --cert "$1" \
        --key "$1" -i "$thing" -q 1 "${@:2}"
}
equal "$(principals)" 1 "principals"
connect "identities/$thing.pem" -t '$aws/certificates/create-from-csr/json' -f half.json
has_successor() { [ "$(principals)" -eq 2 ]; }
await has_successor # which the device never learns of
connect "identities/$thing.pem" -t "AnyCompany/$thing/telemetry" -m still-here || die "the present certificate"
iot cancel-job --job-id r2 --force > /dev/null
code=0
"$bin/hatchery" rotate --job r2 --json --data "$data" > summary 2> progress || code=$?
equal "$code" 1 "exit code for a device that did not exchange its certificate"
equal "$(jq -c '[.status, .executions, .notRotated[0].thing]' summary)" "[\"CANCELED\",{\"CANCELED\":1},\"$thing\"]" "its report"
connect "identities/$thing.pem" -t "AnyCompany/$thing/telemetry" -m still-here || die "the present certificate, after the job"
stop_server
