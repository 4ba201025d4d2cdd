#!/bin/sh
# Closes its input and stays: a write to it raises SIGPIPE. $1 is a FIFO that says when.
exec <&-
echo closed > "$1"
exec sleep 1000
