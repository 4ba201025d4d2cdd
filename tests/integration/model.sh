#!/usr/bin/env bash
# Every implemented operation of AWS's service model, with legal and illegal input, through boto3.
source "$(dirname "$0")/lib.sh" "$1"

"$bin/hatchery" init "$data" > /dev/null
serve
/usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/model.py" >&2 || die "the walk over the service model"
kill -0 "$server" || die "the server died"
if grep -q 'InternalFailure\|uncaught' "$work/serve.log"; then die "an internal failure in the log"; fi
stop_server
