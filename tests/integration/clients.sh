#!/usr/bin/env bash
# Sixteen clients make, attach, list and delete at once over the API; what the registry promises holds after, and after a
# kill -9 in the middle: no dangling attachment, every reverse look-up agrees, everything acknowledged is there.
source "$(dirname "$0")/lib.sh" "$1"
steps=${HATCHERY_CLIENT_STEPS:-25}
clients() { /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/clients.py" "$@" >&2 || die "clients.py $*"; }
# What refers to what without a foreign key.
references='things type thing_types
certificates ca authorities
thing_group_members thing_group thing_groups
thing_group_members thing things
thing_principals certificate certificates
thing_principals thing things
certificate_policies certificate certificates
certificate_policies policy policies'
sound() {
    equal "$(sqlite3 "$data/hatchery.db" 'pragma integrity_check')" ok "integrity of the database"
    equal "$(sqlite3 "$data/hatchery.db" 'pragma foreign_key_check')" "" "rows that refer to nothing"
    while read -r table column to; do
        equal "$(sqlite3 "$data/hatchery.db" "SELECT $column FROM $table WHERE $column IS NOT NULL
            AND $column NOT IN (SELECT key FROM $to)")" "" "$table.$column that refers to nothing"
    done <<< "$references"
    clients check "$1"
}

"$bin/hatchery" init "$data" > /dev/null
serve
say "sixteen clients at once"
clients work "$steps" "$work/first"
sound "$work/first"

say "sixteen clients, and the power goes in the middle"
clients work 100000 "$work/second" &
running=$!
await bash -c "[ \$(cat '$work/second' 2> /dev/null | wc -l) -ge 150 ]"
kill -9 "$server"
wait "$server" 2> /dev/null || true
server=
wait $running || die "the clients that the kill met"
serve
sound "$work/second"
stop_server
