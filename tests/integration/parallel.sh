#!/usr/bin/env bash
# One serial number, one certificate, whoever issues (spiffe/spire#962, inverse-inc/packetfence#8855): the command line,
# JSON, EST and claims over MQTT at once; restarts between, and an old backup restored and brought up to date.
source "$(dirname "$0")/lib.sh" "$1"
here=$(realpath "$(dirname "$0")")
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["C"]\n' >> "$data/hatchery.toml"
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
openssl ecparam -name prime256v1 -genkey -noout -out cli.key
serve
tutorial_registry
tutorial_claim
: > answers.jsonl
: > cli.pem

all_fronts() { # all_fronts ROUND: 60 by JSON and EST, 15 by the command line, 40 by claim
    python3 "$here/online.py" make 60 "O$1-"
    python3 "$here/online.py" sign "$HATCHERY_HTTPS_PORT" "$data/ca/root.crt" station.crt station.key 2> sign.log &
    local online=$!
    "$bin/fleet" claim --devices 40 --concurrency 8 --retries 20 --template FleetProvisioningTemplate --serial-prefix "C$1" \
        --claim-cert claim.pem --claim-key claim.key > claim.txt 2>&1 &
    local claims=$!
    for i in $(seq 15); do
        openssl req -new -key cli.key -subj "/CN=cli-$1-$i" -out cli.csr
        "$bin/hatchery" sign --data "$data" --profile device --csr cli.csr >> cli.pem
    done
    wait $online || die "$(cat sign.log)"
    wait $claims || die "$(tail -5 claim.txt)"
}
say "every front at once"
all_fronts 1
stop_server
cp -r "$data" backup
serve
all_fronts 2
"$bin/hatchery" ledger export --data "$data" --out export.jsonl
stop_server

say "the backup comes back, and the export on top; then every front again"
rm -r "$data"
mv backup "$data"
"$bin/hatchery" ledger replay export.jsonl --data "$data" > /dev/null
serve
all_fronts 3
"$bin/hatchery" ledger export --data "$data" --out ledger.jsonl
stop_server
"$bin/hatchery" ledger verify --data "$data" > /dev/null
python3 - << 'PYTHON'
import base64, json, re
from cryptography import x509
rows = [json.loads(line) for line in open("ledger.jsonl")]
issued = [row for row in rows if row["kind"] == "issued"]
assert len({row["serialNumber"] for row in issued}) == len(issued), "a serial number twice"
by = lambda word: sum(row["requester"].startswith(word) for row in issued)
assert by("station:") == 180 and by("claim:") >= 120 and by("cli:") >= 45, (by("station:"), by("claim:"), by("cli:"))
handed = [base64.b64decode(json.loads(line)["der"]) for line in open("answers.jsonl")]
pems = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", open("cli.pem").read(), re.S)
handed += [base64.b64decode(pem) for pem in pems[::2]]  # each with its issuing CA
serials = ["%x" % x509.load_der_x509_certificate(der).serial_number for der in handed]
assert len(handed) == 180 + 45 and len(set(serials)) == len(serials), "a serial number was handed out twice"
known = {row["serialNumber"].lstrip("0") for row in issued}
assert set(serials) <= known, "handed out, and not in the ledger"
PYTHON
