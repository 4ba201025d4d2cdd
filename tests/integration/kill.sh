#!/usr/bin/env bash
# kill -9 in the middle of 2,000 provisionings (half JITP, half claim): after the restart every device that was told
# "accepted" is whole, and no other is half there.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
printf '\n[hooks.FleetProvisioningHook]\nkind = "allow-list"\nprefixes = ["K"]\n' >> "$data/hatchery.toml"
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
serve
tutorial_registry
tutorial_claim
tutorial_factory

say "2,000 devices, and the power goes when some hundreds are through"
"$bin/fleet" jitp --devices 1000 --concurrency 32 --retries 0 --organization AnyCompany --ou Dev --dn-qualifier AnyType \
    --serial-prefix J --station-cert "$work/station.pem" --station-key "$work/station.key" --out "$work/jitp.jsonl" \
    > "$work/jitp.txt" 2>&1 &
first=$!
"$bin/fleet" claim --mix --devices 1000 --concurrency 32 --retries 0 --template FleetProvisioningTemplate --serial-prefix K \
    --claim-cert "$work/claim.pem" --claim-key "$work/claim.key" --out "$work/claim.jsonl" > "$work/claim.txt" 2>&1 &
second=$!
enough() { [ "$(cat "$work/jitp.jsonl" 2> /dev/null | grep -c '"provisioned"')" -ge 200 ] &&
           [ "$(cat "$work/claim.jsonl" 2> /dev/null | grep -c '"provisioned"')" -ge 200 ]; }
await enough
kill -9 "$server"
wait "$server" 2> /dev/null || true
server=
wait $first $second 2> /dev/null || true
told=$(cat "$work/jitp.jsonl" "$work/claim.jsonl" | jq -r 'select(.outcome == "provisioned") | .thing' | sort)
count=$(wc -l <<< "$told")
[ "$count" -lt 2000 ] || die "the kill came after the last device"
say "$count were told 'accepted' before the kill"
equal "$(sqlite3 "$data/hatchery.db" 'pragma integrity_check')" ok "integrity of the database"

serve
say "every one of them is whole, and nothing is half"
sqlite3 "$data/hatchery.db" < "$(dirname "$0")/whole.sql" > "$work/whole.txt"
sqlite3 "$data/hatchery.db" < "$(dirname "$0")/half.sql" > "$work/half.txt"
equal "$(comm -23 <(printf '%s\n' "$told") <(sort "$work/whole.txt") | head -3)" "" "devices told 'accepted' that are not whole"
equal "$(head -3 "$work/half.txt")" "" "things that are half there"
"$bin/hatchery" ledger verify --data "$data" || die "the ledger's chain"
stop_server
