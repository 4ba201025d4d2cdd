#!/bin/sh
# Allows every device and says which process did.
while read -r line; do
    printf '{"allowProvisioning":true,"parameterOverrides":{"Worker":"%s"}}\n' $$
done
