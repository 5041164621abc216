#!/usr/bin/env bash
#: fails docker:125
echo "Pulling"
if ! output=$(docker pull example/app:latest 2>&1); then #=| docker:125
    echo "$output" >&2
    exit 1 #=> docker:125
fi
echo "pulled"
