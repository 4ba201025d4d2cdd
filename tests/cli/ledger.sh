# hatchery ledger: verify, checkpoints, export, search, and a restored backup that does not un-revoke.
source "$(dirname "$0")/lib.sh"
"$hatchery" init data > /dev/null
export HATCHERY_DATA=data
sign() { make_csr "$1" "/CN=$1/serialNumber=$1" && "$hatchery" sign --profile device --csr "$1.csr" --out "$1.crt"; }
sign one
run 0 "$hatchery" ledger search one
contains "$out" '"deviceSerial":"one"' "search"
equal "$(wc -l < out)" 1 "rows of one"
run 1 "$hatchery" ledger search nobody
refused 'nothing about "nobody"'

# A checkpoint that is kept elsewhere finds what the chain alone cannot.
run 0 "$hatchery" ledger checkpoint --out point.json
run 0 "$hatchery" ledger verify --checkpoint point.json
contains "$out" "chain unbroken, as in the checkpoint" "verify"
cp -r data backup
sign two
run 0 "$hatchery" ledger verify --checkpoint point.json
run 0 "$hatchery" ledger checkpoint --out later.json
run 1 "$hatchery" ledger verify --checkpoint later.json --data backup
contains "$err" "it was rolled back" "a restored backup"
sed 's/hash [0-9a-f]\{8\}/hash 00000000/' later.json > forged.json
run 1 "$hatchery" ledger verify --checkpoint forged.json
contains "$err" "the signature is not one of" "a forged checkpoint"

# Everything a revocation is, after the backup was made.
run 0 "$hatchery" revoke one --reason keyCompromise
run 0 "$hatchery" revoke two --reason certificateHold
make_csr blocked /CN=blocked/serialNumber=blocked
run 0 "$hatchery" revoke --block-key blocked.csr
run 0 "$hatchery" crl --out lists
number() { openssl crl -inform DER -in "$1" -noout -crlnumber | cut -d= -f2; }
old=$(number lists/all.crl)
run 0 "$hatchery" ledger export --out export.jsonl
equal "$(python3 -c 'import json; print(*[json.loads(line)["kind"] for line in open("export.jsonl")][-3:])')" \
    "revoked held key-blocked" "the last rows"

# The backup comes back: replaying the newer export revokes again, and the CRL number does not go back.
run 1 "$hatchery" sign --profile device --csr one.csr
rm -rf data && mv backup data
run 0 "$hatchery" ledger replay export.jsonl
run 0 "$hatchery" ledger verify --checkpoint later.json
run 0 "$hatchery" ledger export
cmp out export.jsonl || die "the replayed ledger is another one"
run 0 "$hatchery" ledger replay export.jsonl
equal "$out" "0 rows replayed" "replaying again"
run 0 "$hatchery" crl --out lists
new=$(number lists/all.crl)
[ $((new)) -gt $((old)) ] || die "CRL number $old became $new"
text=$(openssl crl -inform DER -in lists/all.crl -noout -text)
for name in one two; do
    contains "$text" "$(openssl x509 -in $name.crt -noout -serial | cut -d= -f2)" "$name on the list"
done
for name in one blocked; do
    run 1 "$hatchery" sign --profile device --csr $name.csr
    contains "$err" "the key is blocked or was revoked for compromise" "signing $name"
done
run 0 "$hatchery" revoke two --release

# Another ledger's export is refused, a changed row too.
"$hatchery" init other > /dev/null
run 1 "$hatchery" ledger replay export.jsonl --data other
contains "$err" "the export is of another ledger" "another ledger"
cp -r data changed
"$hatchery" ledger export --out more.jsonl
sign three
"$hatchery" ledger export | sed 's/"requester":"cli:[a-z]*","deviceSerial":"three"/"requester":"cli:mallory","deviceSerial":"three"/' > forged.jsonl
run 1 "$hatchery" ledger replay forged.jsonl --data changed
contains "$err" "its content was changed" "a changed row"
