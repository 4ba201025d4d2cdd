#!/bin/sh
# Writes far more to stderr than a pipe holds before each answer, with a line of 100,000 characters.
while read -r line; do
    i=0
    while [ $i -lt 2000 ]; do
        echo "line $i of much noise, much noise, much noise, much noise, much noise, much noise" >&2
        i=$((i + 1))
    done
    head -c 100000 /dev/zero | tr '\0' 'x' >&2
    echo '{"allowProvisioning":true}'
done
