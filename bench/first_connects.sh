#!/usr/bin/env bash
# First connects a second: a server of its own, certificates signed ahead, then every device connects for the first time and
# is provisioned (thing, type, group, billing group, certificate, policy) before its CONNACK. Server and devices share the
# machine.      bench/first_connects.sh BUILD-DIR [DEVICES] [CONCURRENCY]
source "$(dirname "$0")/../tests/integration/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
serve
tutorial_registry
tutorial_factory
before=$(awk '{print $14 + $15}' "/proc/$server/stat")
"$bin/fleet" jitp --bench --devices "${2:-3000}" --concurrency "${3:-32}" --organization AnyCompany --ou Dev \
    --dn-qualifier AnyType --serial-prefix B --serial-digits 7 --station-cert "$work/station.pem" --station-key "$work/station.key"
after=$(awk '{print $14 + $15}' "/proc/$server/stat")
echo "server CPU, signing and connecting: $(((after - before) * 1000 / $(getconf CLK_TCK) * 1000 / ${2:-3000})) us a device"
stop_server
