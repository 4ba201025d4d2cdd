#!/bin/sh
# Never answers; its child, named in $1, holds every pipe open.
sleep 1000 &
echo $! > "$1"
read -r line
wait
