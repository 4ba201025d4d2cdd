#!/usr/bin/env bash
# Our packet parser beside mqtt-packet's (npm): random packets of both versions, cut at every byte.   packets.sh BIN [COUNT] [SEED]
source "$(dirname "$0")/lib.sh" "$1"

modules=$bin/sdk
mkdir -p "$modules"
cp "$(dirname "$0")"/sdk/* "$modules/"
[ -d "$modules/node_modules/mqtt-packet" ] ||
    (cd "$modules" && npm install --no-audit --no-fund --no-package-lock > npm.log 2>&1) || die "npm: $(tail -3 "$modules/npm.log")"
node "$modules/packets.js" "$bin/mqtt_echo" "${2:-20000}" "${3:-20261122}" || die "our parser and mqtt-packet differ"
