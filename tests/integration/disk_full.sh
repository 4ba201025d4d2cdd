#!/usr/bin/env bash
# The disk fills up while stations sign (smallstep/certificates#1216): nothing is signed, the service says so, and it
# goes on by itself when there is room.
source "$(dirname "$0")/lib.sh" "$1"
mkdir "$work/disk"
if ! mount -t tmpfs -o size=32m tmpfs "$work/disk" 2> /dev/null; then
    [ -z "${DISK_FULL_INSIDE:-}" ] || die "no file system of our own can be mounted here"
    rm -r "$work"
    DISK_FULL_INSIDE=1 exec unshare -rm bash "$0" "$1"
fi
unmount() {
    local code=$?
    set +e
    [ -z "$server" ] || { kill "$server" && wait "$server"; server=; } 2> /dev/null
    umount -l "$work/disk"
    (exit $code)
    cleanup
}
trap unmount EXIT
data=$work/disk/data
cd "$work"
"$bin/hatchery" init "$data" > /dev/null
"$bin/hatchery" station add line-1 --out-cert station.crt --out-key station.key --data "$data"
serve
status=http://localhost:$(jq .status ready.json)
openssl ecparam -name prime256v1 -genkey -noout -out device.key
number=0
ask() { # a new device each time; the HTTP status
    number=$((number + 1))
    openssl ecparam -name prime256v1 -genkey -noout | openssl req -new -key /dev/stdin -subj "/CN=d/serialNumber=D-$number" -out device.csr
    curl -sS --cacert "$data/ca/root.crt" --cert station.crt --key station.key --data-binary @device.csr -o answer \
        -w '%{http_code}' "https://localhost:$HATCHERY_HTTPS_PORT/"
}
issued() { "$bin/hatchery" ledger export --data "$data" | grep -c '"kind":"issued"'; }
equal "$(ask)" 200 "signing with room"
equal "$(curl -sS -o health -w '%{http_code}' "$status/health")" 200 "health with room"
equal "$(jq -r .status health)" ok "health"

say "full: refused as unavailable, not signed, and said so"
dd if=/dev/zero of="$work/disk/filler" bs=64k 2> /dev/null || true
dd if=/dev/zero of="$work/disk/crumbs" bs=1 2> /dev/null || true
is_refused() { [ "$(ask)" = 503 ]; }
await is_refused # what the log has allocated already may still be used up
contains "$(cat answer)" '"code":"Unavailable"' "the answer"
contains "$(cat answer)" "full" "the answer"
before=$(issued)
for _ in 1 2 3; do equal "$(ask)" 503 "signing on a full disk"; done
equal "$(issued)" "$before" "certificates in the ledger"
says_so() { [ "$(curl -sS -o health -w '%{http_code}' "$status/health")" = 503 ]; }
await says_so
contains "$(jq -r .parts.store health)" "failing: database: database or disk is full" "health"
code=0
"$bin/hatchery" status --data "$data" > status.txt 2> status.err || code=$?
equal $code 1 "exit code of hatchery status"
contains "$(cat status.txt)" "failing: database: database or disk is full" "hatchery status"
contains "$(cat serve.log)" "unhealthy part=store" "the log"

say "room again: it goes on by itself"
rm "$work/disk/filler" "$work/disk/crumbs"
equal "$(ask)" 200 "signing with room again: $(cat answer)"
is_well() { [ "$(curl -sS -o health -w '%{http_code}' "$status/health")" = 200 ]; }
await is_well
"$bin/hatchery" status --data "$data" > status.txt
equal "$(issued)" $((before + 1)) "certificates in the ledger"
stop_server
"$bin/hatchery" ledger verify --data "$data" > /dev/null
equal "$(sqlite3 "$data/hatchery.db" 'pragma integrity_check')" ok "the database"
