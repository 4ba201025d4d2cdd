#!/bin/sh
# Writes far more to stderr than a pipe holds before each answer, with a line of 100,000 characters.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    i=0
    while [ $i -lt 2000 ]; do
        echo "line $i of much noise, much noise, much noise, much noise, much noise, much noise" >&2
        i=$((i + 1))
    done
    head -c 100000 /dev/zero | tr '\0' 'x' >&2
    take_id
    printf '{"requestId":"%s","allowProvisioning":true}\n' "$id"
done
