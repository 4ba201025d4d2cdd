#!/bin/sh
# The form of a Lambda function that raised: an object without allowProvisioning. The process lives on.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    take_id
    printf '{"requestId":"%s","errorMessage":"boom","errorType":"KeyError","pid":%s}\n' "$id" $$
done
