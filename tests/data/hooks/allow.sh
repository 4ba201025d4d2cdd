#!/bin/sh
# Allows every device and says which process did.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    take_id
    printf '{"requestId":"%s","allowProvisioning":true,"parameterOverrides":{"Worker":"%s"}}\n' "$id" $$
done
