#!/usr/bin/env bash
# JITR from the handshake to the activation. Which CA a first connect belongs to: intermediates that the device sends along, a CA of mode SNI_ONLY, ten CAs of one subject
# and no eleventh; and the second port, for devices that name ALPN x-amzn-mqtt-ca.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
for attempt in 1 2 3 4 5; do  # until it is a port that nobody has
    alpn=$((20000 + RANDOM % 10000))
    sed -i "s/^#\? *alpn_port *=.*/alpn_port = $alpn/" "$data/hatchery.toml"
    try_serve && break
    [ $attempt -lt 5 ] || die "no free port"
done
timeout 200 /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/ca_chains.py" "$work" $alpn >&2 || die "ca_chains.py"
stop_server
