#!/usr/bin/env bash
# Start-up does not grow with history (vault#21042, ejbca-ce#1069): with very many certificates, revocations and CAs the
# server reads about as little before its first answers as with none.
#   startup.sh BIN [CERTIFICATES]; STARTUP=10000000 for ten million (some 20 GB and an hour)
source "$(dirname "$0")/lib.sh" "$1"
cd "$work"
count=${STARTUP:-50000}
"$bin/hatchery" init "$data" > /dev/null
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
number=0
start() { # start, sign, ask for health: $took seconds, $read bytes
    local begin=$EPOCHREALTIME
    serve
    number=$((number + 1))
    openssl ecparam -name prime256v1 -genkey -noout | openssl req -new -key /dev/stdin -subj "/CN=d/serialNumber=D-$number" -out device.csr
    equal "$(curl -sS --cacert "$data/ca/root.crt" --cert station.crt --key station.key --data-binary @device.csr -o answer \
        -w '%{http_code}' "https://localhost:$HATCHERY_HTTPS_PORT/")" 200 "signing"
    equal "$(curl -sS -o health -w '%{http_code}' "http://localhost:$(jq .status ready.json)/health")" 200 "health"
    took=$(awk "BEGIN { print $EPOCHREALTIME - $begin }")
    read=$(awk '/^rchar/ { print $2 }' "/proc/$server/io")
    stop_server
}
start # makes the first lists
start
few=$read
say "with nothing: $took s, $((few / 1024)) KiB read"

sqlite3 "$data/hatchery.db" << SQL
BEGIN;
INSERT INTO authorities(id) SELECT randomblob(32) FROM generate_series(1, $count / 100);
INSERT INTO ca_certificates SELECT key, randomblob(600), randomblob(40), 1, 1, 0, NULL, NULL, NULL, 0, 0, 0, 9999999999, 1, randomblob(16)
    FROM authorities WHERE key NOT IN (SELECT issuer FROM issued);
INSERT INTO certificates(id, der, status, ca, mode, created, modified, not_before, not_after, customer_version, generation_id)
    SELECT randomblob(32), zeroblob(600), 1, NULL, 0, 0, 0, 0, 9999999999, 1, randomblob(16) FROM generate_series(1, $count);
INSERT INTO issued SELECT (SELECT sequence FROM ledger_head) + value, (SELECT max(issuer) FROM issued), randomblob(20), zeroblob(500), 'device',
    'cli:test', '', 0, zeroblob(32), zeroblob(32) FROM generate_series(1, $count);
INSERT INTO signed SELECT sequence, randomblob(32), zeroblob(80), 0 FROM issued WHERE sequence NOT IN (SELECT sequence FROM signed);
UPDATE ledger_head SET sequence = (SELECT max(sequence) FROM issued);
COMMIT;
SQL
start
say "with $count certificates and $((count / 100)) CAs: $took s, $((read / 1024)) KiB read"
[ "$read" -lt $((few + 4 * 1024 * 1024)) ] || die "start-up read $read bytes, $few without certificates"
