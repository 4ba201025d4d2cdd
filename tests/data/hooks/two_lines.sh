#!/bin/sh
# Answers twice in one write.
while read -r line; do printf '{"allowProvisioning":true}\n{"allowProvisioning":true}\n'; done
