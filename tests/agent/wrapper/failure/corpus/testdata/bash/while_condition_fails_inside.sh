#!/usr/bin/env bash
#: fails step-in:6
set -e
n=0
while [ "$n" -lt 3 ]; do
    n=$((n + 1))
    if [ "$n" = 2 ]; then
        step-in "$n" #=> step-in:6
    fi
done
