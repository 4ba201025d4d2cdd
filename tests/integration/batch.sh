# A batch that is killed again and again issues every certificate once: ledger, files and report agree.
source "$(dirname "$0")/lib.sh"
cd "$work"
count=${BATCH:-5000}
"$bin/hatchery" init "$data" > /dev/null
"$bin/hatchery" crl --data "$data" > /dev/null
sed -i 's/^one_per_device = .*/one_per_device = true/' "$data/profiles/device.toml"
grep -q '^one_per_device = true' "$data/profiles/device.toml" || die "the profile has no one_per_device"

say "making $count CSRs"
mkdir csrs out
python3 - "$count" << 'PYTHON'
import sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
for number in range(int(sys.argv[1])):
    serial = "SN-%06d" % number
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, serial), x509.NameAttribute(NameOID.SERIAL_NUMBER, serial)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    open("csrs/%s.csr" % serial, "wb").write(csr.public_bytes(serialization.Encoding.PEM))
PYTHON
batch() { "$bin/hatchery" sign --data "$data" --profile device --batch csrs --out-dir out > batch.out 2> batch.err; }
# To be killed: exec, so that $! is the command itself and no shell around it.
batch_to_be_killed() { exec "$bin/hatchery" sign --data "$data" --profile device --batch csrs --out-dir out > batch.out 2> batch.err; }

say "kill -9 in the middle, five times"
made() { [ "$(find out -name '*.crt' 2> /dev/null | wc -l)" -gt "$1" ]; }
for round in 1 2 3 4 5; do
    batch_to_be_killed &
    child=$!
    have=$(find out -name '*.crt' 2> /dev/null | wc -l)
    until made $((have + count / 20)) || ! kill -0 $child 2> /dev/null; do sleep 0.01; done
    kill -KILL $child 2> /dev/null || true
    wait $child 2> /dev/null || true
done

say "the restart finishes it"
batch || die "$(cat batch.err)"
equal "$(find out -name '*.crt' | wc -l)" "$count" "certificates written"
contains "$(cat batch.out)" " 0 refused; out/report.csv" "what the batch says"
signed=$(grep -c ',signed,' out/report.csv || true)
again=$(grep -c ',again,' out/report.csv || true)
equal $((signed + again)) "$count" "rows of the report"
equal "$(tail -n +2 out/report.csv | cut -d, -f3 | sort -u | wc -l)" "$count" "different serial numbers"

"$bin/hatchery" ledger verify --data "$data" > /dev/null
"$bin/hatchery" ledger export --data "$data" --out ledger.jsonl
python3 - "$count" << 'PYTHON'
import csv, hashlib, json, re, base64, sys
rows = [json.loads(line) for line in open("ledger.jsonl")]
mine = [row for row in rows if row["kind"] == "issued" and row["deviceSerial"].startswith("SN-")]
given_up = {row["serialNumber"] for row in rows if row["kind"] == "given-up"}
live = [row for row in mine if row["serialNumber"] not in given_up]
assert len({row["serialNumber"] for row in mine}) == len(mine), "a serial number twice"
assert len({row["deviceSerial"] for row in live}) == len(live) == int(sys.argv[1]), "a device with two certificates, or none"
for row in live:
    pem = open("out/%s.crt" % row["deviceSerial"]).read()
    der = base64.b64decode(re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", pem, re.S).group(1))
    assert hashlib.sha256(der).hexdigest() == row["certificateId"], "the ledger has another certificate of " + row["deviceSerial"]
report = {line["file"]: line for line in csv.DictReader(open("out/report.csv"))}
for row in live:
    assert report["csrs/%s.csr" % row["deviceSerial"]]["certificateId"] == row["certificateId"], "the report"
PYTHON

say "run once more, nothing is issued; a lost file comes back from the ledger"
before=$("$bin/hatchery" ledger verify --data "$data")
cp out/SN-000007.crt kept.crt
rm out/SN-000007.crt
: > out/SN-000008.crt # as a power cut leaves it
batch || die "$(cat batch.err)"
contains "$(cat batch.out)" "0 signed, $count signed before, 0 refused" "the second run"
cmp kept.crt out/SN-000007.crt || die "the file that came back is another certificate"
openssl verify -CAfile "$data/ca/root.crt" -untrusted "$data/ca/issuing.crt" out/SN-000008.crt > /dev/null
equal "$("$bin/hatchery" ledger verify --data "$data")" "$before" "the ledger after a run that had nothing to do"

say "a bundle: killed, it is not there; the restart makes it whole, and nothing is issued twice"
"$bin/hatchery" init "$work/second" > /dev/null
bundled() { exec "$bin/hatchery" sign --data "$work/second" --profile device --batch csrs --bundle all.jsonl > batch.out 2> batch.err; }
bundled &
child=$!
until [ -s all.jsonl.part ] || ! kill -0 $child 2> /dev/null; do sleep 0.01; done
kill -KILL $child 2> /dev/null || true
wait $child 2> /dev/null || true
(bundled) || die "$(cat batch.err)"
contains "$(cat batch.out)" " 0 refused; all.jsonl.report.csv" "what the batch says"
[ ! -e all.jsonl.part ] || die "a part of the bundle is left"
cp all.jsonl first.jsonl
(bundled) || die "$(cat batch.err)"
contains "$(cat batch.out)" "0 signed, $count signed before, 0 refused" "the second run"
cmp <(sort first.jsonl) <(sort all.jsonl) || die "the second bundle has other certificates"
"$bin/hatchery" ledger export --data "$work/second" --out second.jsonl
python3 - "$count" << 'PYTHON'
import base64, csv, hashlib, json, sys
issued = {row["certificateId"]: row for row in map(json.loads, open("second.jsonl")) if row.get("certificateId")}
lines = [json.loads(line) for line in open("all.jsonl")]
assert len({line["file"] for line in lines}) == len(lines) == int(sys.argv[1]), "a line for each request"
for line in lines:
    der = base64.b64decode("".join(line["certificatePem"].splitlines()[1:-1]))
    row = issued[hashlib.sha256(der).hexdigest()]
    assert row["certificateId"] == line["certificateId"] and row["serialNumber"] == line["serialNumber"], "the ledger has another certificate"
    assert line["file"] == "csrs/%s.csr" % row["deviceSerial"], "the certificate of another device"
report = {row["file"]: row for row in csv.DictReader(open("all.jsonl.report.csv"))}
assert all(report[line["file"]]["certificateId"] == line["certificateId"] for line in lines), "the report"
PYTHON
code=0
"$bin/hatchery" sign --data "$work/second" --profile device --batch csrs --bundle all.jsonl --out-dir out > batch.out 2> batch.err || code=$?
[ $code -ne 0 ] || die "--bundle and --out-dir together"
contains "$(cat batch.err)" "either --out-dir or --bundle" "the error"

say "cloned keys and second certificates are refused, each by its word; the others are signed"
openssl ecparam -name prime256v1 -genkey -noout -out shared.key
mkdir bad
request() { openssl req -new -key "$2" -subj "/CN=$3/serialNumber=$3" -out "bad/$1.csr"; }
request a-first shared.key CLONE-1
request b-clone shared.key CLONE-2
openssl ecparam -name prime256v1 -genkey -noout -out other.key
request c-second other.key SN-000001
openssl ecparam -name prime256v1 -genkey -noout -out fine.key
request d-fine fine.key FINE-1
echo rubbish > bad/e-rubbish.csr
code=0
"$bin/hatchery" sign --data "$data" --profile device --batch bad --out-dir out2 > batch.out 2> batch.err || code=$?
equal $code 1 "exit code of a batch with refusals"
contains "$(cat batch.out)" "2 signed, 0 signed before, 3 refused" "the batch"
contains "$(grep b-clone out2/report.csv)" ',refused,,,"KeyInUse: ' "the clone"
contains "$(grep c-second out2/report.csv)" "DeviceHasCertificate: " "the second certificate"
contains "$(grep e-rubbish out2/report.csv)" "InvalidRequest: " "rubbish"
[ -s out2/d-fine.crt ] && [ ! -e out2/b-clone.crt ] || die "the wrong files were written"

say "a manifest names files and outputs"
printf 'csr,out\nbad/a-first.csr,first.pem\nbad/d-fine.csr\n' > manifest.csv
"$bin/hatchery" sign --data "$data" --profile device --batch manifest.csv --out-dir out3 > batch.out
contains "$(cat batch.out)" "0 signed, 2 signed before, 0 refused" "the manifest"
cmp out3/first.pem out2/a-first.crt && cmp out3/d-fine.crt out2/d-fine.crt || die "the manifest's files"
