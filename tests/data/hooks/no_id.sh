#!/bin/sh
# Answers, but does not say whom.
while read -r line; do echo '{"allowProvisioning":true}'; done
