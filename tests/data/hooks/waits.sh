#!/bin/sh
# Says at the FIFO $1 that it has a request, answers it when told to at $2.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    echo got > "$1"
    read -r go < "$2"
    take_id
    printf '{"requestId":"%s","allowProvisioning":true}\n' "$id"
done
