#!/usr/bin/env bash
# kill -9 while stations sign online (JSON and EST, 16 at once), again and again: the ledger, the registry and what was
# handed out agree, no serial number is repeated, and a repeat after the restart gets the certificate of before.
source "$(dirname "$0")/lib.sh" "$1"
here=$(realpath "$(dirname "$0")")
cd "$work"
count=${ONLINE:-1200}
"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^one_per_device = .*/one_per_device = true/' "$data/profiles/device.toml"
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
python3 "$here/online.py" make "$count" K-
serve
https_port=$HATCHERY_HTTPS_PORT
sed -i "/^\[https\]/,/^port = / s/^port = .*/port = $https_port/" "$data/hatchery.toml"
again() { # the same HTTPS port, so that stations find the server again
    rm -f ready.json
    "$bin/hatchery" serve "$data" --ready-file ready.json >> serve.log 2>&1 &
    server=$!
    await test -s ready.json
}
for section in mqtt control_plane status; do
    sed -i "/^\[$section\]/,/^port = / s/^port = .*/port = 0/" "$data/hatchery.toml"
done
: > answers.jsonl
python3 "$here/online.py" sign "$https_port" "$data/ca/root.crt" station.crt station.key 2> sign.log &
stations=$!
background+=($stations)

say "$count certificates, and five kills while they are signed"
answered() { [ "$(wc -l < answers.jsonl)" -ge "$1" ] || ! kill -0 $stations 2> /dev/null; }
for part in 1 2 3 4 5; do
    await answered $((count * part / 7))
    kill -9 "$server"
    wait "$server" 2> /dev/null || true
    equal "$(sqlite3 "$data/hatchery.db" 'pragma quick_check')" ok "the database"
    again
done
wait $stations || die "$(cat sign.log)"
background=()
equal "$(wc -l < answers.jsonl)" "$count" "answers"

say "what was handed out, the ledger and the registry agree"
"$bin/hatchery" ledger verify --data "$data" > /dev/null
"$bin/hatchery" ledger export --data "$data" --out ledger.jsonl
# A repeat gets the certificate of before, whichever front it comes by.
mv answers.jsonl first.jsonl
python3 "$here/online.py" sign "$https_port" "$data/ca/root.crt" station.crt station.key
stop_server
equal "$("$bin/hatchery" ledger export --data "$data" | sha256sum)" "$(sha256sum < ledger.jsonl)" "the ledger after $count repeats"
python3 - "$count" "$data/hatchery.db" << 'PYTHON'
import base64, hashlib, json, sqlite3, sys
from cryptography import x509
count = int(sys.argv[1])
rows = [json.loads(line) for line in open("ledger.jsonl")]
issued = [row for row in rows if row["kind"] == "issued"]
assert len({row["serialNumber"] for row in issued}) == len(issued), "a serial number twice"
given_up = {row["serialNumber"] for row in rows if row["kind"] == "given-up"}
live = {row["deviceSerial"]: row for row in issued if row["deviceSerial"] and row["serialNumber"] not in given_up}
assert len(live) == count, "expected a certificate a device, found %d" % len(live)
handed = {}
for line in list(open("first.jsonl")) + list(open("answers.jsonl")):
    answer = json.loads(line)
    assert handed.setdefault(answer["serial"], answer["der"]) == answer["der"], "two certificates for " + answer["serial"]
assert len(handed) == count
for serial, der in handed.items():
    certificate = base64.b64decode(der)
    row = live[serial]
    assert hashlib.sha256(certificate).hexdigest() == row.get("certificateId"), "the ledger has another certificate of " + serial
    assert "%x" % x509.load_der_x509_certificate(certificate).serial_number == row["serialNumber"].lstrip("0"), serial
db = sqlite3.connect(sys.argv[2])
(signed,) = db.execute("SELECT count(*) FROM signed s JOIN issued i USING(sequence) WHERE i.device_serial LIKE 'K-%'").fetchone()
assert signed == count, "the registry has %d signatures" % signed
# What was recorded and never completed is on the list for good.
lost = [row["serialNumber"] for row in issued if row["deviceSerial"] and "certificateId" not in row]
revoked = {bytes(serial).hex() for (serial,) in db.execute("SELECT serial_number FROM revocations")}
assert set(lost) == given_up and given_up <= revoked, "recorded, not completed, and not given up"
print("%d rows, %d of them given up" % (len(issued), len(given_up)))
PYTHON
