#!/bin/sh
# Answers with something else.
while read -r line; do echo "yes"; done
