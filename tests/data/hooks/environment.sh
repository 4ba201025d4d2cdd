#!/bin/sh
# Answers what it was given: the passphrase, a harmless variable, open descriptors beyond the three.
while read -r line; do
    extra=$(ls /proc/$$/fd | tr '\n' ' ')
    printf '{"allowProvisioning":true,"parameterOverrides":{"Passphrase":"%s","Plain":"%s","Descriptors":"%s"}}\n' \
        "${HATCHERY_PASSPHRASE-unset}" "${HATCHERY_TEST_PLAIN-unset}" "$extra"
done
