#!/usr/bin/env bash
# What an operator changes reaches connections that are open: a certificate that is deactivated or revoked, a policy that is
# detached. Wills, sessions that outlive their connection and shared subscriptions are the broker's, and pass. Two clients with one certificate, and one client id from two certificates, are what audits find.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
sed -i 's/^#\? *device_key *=.*/device_key = "p256"/' "$data/hatchery.toml"
serve
timeout 120 /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/open_connections.py" "$work" >&2 || die "open_connections.py"
stop_server
