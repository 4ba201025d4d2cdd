#!/bin/sh
# The tutorial's rule: a serial number has to start with 123456.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    take_id
    case $line in
        *'"SerialNumber":"123456'*) printf '{"requestId":"%s","allowProvisioning":true,"parameterOverrides":{"DeviceLocation":"Seattle"}}\n' "$id" ;;
        *) printf '{"requestId":"%s","allowProvisioning":false,"reason":"unknown serial number"}\n' "$id" ;;
    esac
done
