#!/bin/sh
# Two requests have to be in flight at once: "left" waits for "right" at the FIFO $1 and the other way round.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    case $line in
        *'"clientId":"left"'*) echo here > "$1" ;;
        *) read -r here < "$1" ;;
    esac
    take_id
    printf '{"requestId":"%s","allowProvisioning":true}\n' "$id"
done
