#!/bin/sh
# Answers twice in one write.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    take_id
    printf '{"requestId":"%s","allowProvisioning":true}\n{"allowProvisioning":true}\n' "$id"
done
