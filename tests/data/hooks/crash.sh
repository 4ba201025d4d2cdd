#!/bin/sh
# Ends in the middle of a request, with its last words on stderr.
read -r line
echo "about to fail" >&2
exit 3
