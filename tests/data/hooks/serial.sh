#!/bin/sh
# The tutorial's rule: a serial number has to start with 123456.
while read -r line; do
    case $line in
        *'"SerialNumber":"123456'*) echo '{"allowProvisioning":true,"parameterOverrides":{"DeviceLocation":"Seattle"}}' ;;
        *) echo '{"allowProvisioning":false,"reason":"unknown serial number"}' ;;
    esac
done
