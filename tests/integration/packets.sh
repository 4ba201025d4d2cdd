#!/usr/bin/env bash
# Our packet parser beside mqtt-packet's (npm): random packets of both versions, cut at every byte.   packets.sh BIN [COUNT] [SEED]
source "$(dirname "$0")/lib.sh" "$1"

npm_modules mqtt-packet
node "$modules/packets.js" "$bin/mqtt_echo" "${2:-20000}" "${3:-20261122}" || die "our parser and mqtt-packet differ"
