#!/usr/bin/env bash
# CreateThing and DescribeThing over HTTP with 16 keep-alive clients: bench/api.sh BUILD-DIR
# Serves a new data directory in HATCHERY_BENCH_DIR (or the system's temporary folder) and loads it.
set -euo pipefail
bin=$(realpath "${1:?usage: bench/api.sh BUILD-DIR}")
work=$(mktemp -d "${HATCHERY_BENCH_DIR:-${TMPDIR:-/tmp}}/hatchery-bench-XXXXXX")
export HATCHERY_PASSPHRASE=bench
server=
trap '[ -n "$server" ] && kill "$server" && wait "$server" || true; rm -rf "$work"' EXIT
"$bin/hatchery" init "$work/data" > /dev/null
sed -i 's/^level = .*/level = "warn"/' "$work/data/hatchery.toml"
"$bin/hatchery" serve "$work/data" --port-base 0 --ready-file "$work/ready.json" > "$work/serve.log" 2>&1 &
server=$!
until [ -s "$work/ready.json" ]; do kill -0 "$server"; sleep 0.05; done
eval "$("$bin/hatchery" env "$work/data")"
HATCHERY_SERVER_PID=$server "$bin/bench_api" --benchmark_counters_tabular=true
