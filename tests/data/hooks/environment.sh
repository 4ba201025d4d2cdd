#!/bin/sh
# Answers what it was given: the passphrase, a harmless variable, open descriptors beyond the three.
# Sets $id to the requestId that the answer has to repeat.
take_id() { id=${line#*\"requestId\":\"}; id=${id%%\"*}; }
while read -r line; do
    take_id
    extra=$(ls /proc/$$/fd | tr '\n' ' ')
    printf '{"requestId":"%s","allowProvisioning":true,"parameterOverrides":{"Passphrase":"%s","Plain":"%s","Descriptors":"%s"}}\n' \
        "$id" "${HATCHERY_PASSPHRASE-unset}" "${HATCHERY_TEST_PLAIN-unset}" "$extra"
done
