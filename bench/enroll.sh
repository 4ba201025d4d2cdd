#!/usr/bin/env bash
# Certificates for a station over HTTPS, 32 keep-alive clients with mutual TLS: server CPU a certificate, p50 and p99.
#   bench/enroll.sh BUILD-DIR [KEY-KIND of the CAs: p256, rsa2048] [arguments of bench_enroll]
key_kind=${2:-p256}
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"
shift $(($# < 2 ? $# : 2))

"$bin/hatchery" init "$data" --key-kind "$key_kind" > /dev/null
# The station's and the server's own keys do not belong to what is measured.
"$bin/hatchery" station add line-1 --out-cert "$work/station.crt" --out-key "$work/station.key" --data "$data"
if [ "$key_kind" != p256 ]; then
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/server.key" -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out "$work/server.csr" 2> /dev/null
    "$bin/hatchery" sign --data "$data" --profile server --csr "$work/server.csr" --out "$data/server/server.crt" --force
    openssl pkcs8 -topk8 -in "$work/server.key" -passout "pass:$HATCHERY_PASSPHRASE" -out "$data/server/server.key"
fi
# Nor do RSA keys that are made ahead for claims.
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
serve
export HATCHERY_BENCH_PORT=$HATCHERY_HTTPS_PORT HATCHERY_BENCH_ROOT=$data/ca/root.crt HATCHERY_SERVER_PID=$server
export HATCHERY_BENCH_CERTIFICATE=$work/station.crt HATCHERY_BENCH_KEY=$work/station.key
export HATCHERY_BENCH_CA_KEY=$key_kind HATCHERY_BENCH_FOLDER=$work
"$bin/bench_enroll" --benchmark_counters_tabular=true "$@"
"$bin/hatchery" ledger verify --data "$data"
stop_server
