#!/usr/bin/env bash
# CreateThing, DescribeThing, SearchIndex and ListThings over HTTP with 16 keep-alive clients, and the server's CPU a request.
#   bench/api.sh BUILD-DIR
# HATCHERY_BENCH_THINGS: how many things there are before (none unless set).
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
# Device keys are made ahead at the start; RSA keys would be in the figures.
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
sed -i '/^\[log\]/,$ s/^#\? *level *=.*/level = "warning"/' "$data/hatchery.toml"
if [ "${HATCHERY_BENCH_THINGS:-0}" -gt 0 ]; then
    sqlite3 "$data/hatchery.db" "PRAGMA cache_size=-500000; INSERT INTO things(name, uuid, attributes, version)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $HATCHERY_BENCH_THINGS)
        SELECT 'fleet-' || lower(hex(randomblob(8))), randomblob(16),
            '{\"batch\":\"' || (i / 90) || '\",\"firmware\":\"1.4.2\",\"line\":\"3\",\"site\":\"hall-7\"}', 1 FROM n"
fi
start=$(date +%s%N)
serve
say "ready after $((($(date +%s%N) - start) / 1000000)) ms, with ${HATCHERY_BENCH_THINGS:-0} things"
HATCHERY_SERVER_PID=$server "$bin/bench_api" --benchmark_counters_tabular=true
stop_server
