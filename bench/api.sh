#!/usr/bin/env bash
# CreateThing and DescribeThing over HTTP with 16 keep-alive clients, and the server's CPU a request.
#   bench/api.sh BUILD-DIR
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
sed -i '/^\[log\]/,$ s/^#\? *level *=.*/level = "warning"/' "$data/hatchery.toml"
serve
HATCHERY_SERVER_PID=$server "$bin/bench_api" --benchmark_counters_tabular=true
stop_server
