#!/usr/bin/env bash
# The README's first command, with the binaries that are built already.
source "$(dirname "$0")/lib.sh" "$1"

HATCHERY_BIN=$bin "$top/tools/quickstart" "$work/quickstart" --stop > "$work/out.txt" 2> "$work/err.txt" ||
    { cat "$work/out.txt" "$work/err.txt" >&2; cat "$work/quickstart/serve.log" >&2; die "tools/quickstart failed"; }
contains "$(cat "$work/err.txt")" "40 things are registered" "the closing line"
contains "$(cat "$work/out.txt")" "provisioned" "the fleet's table"
