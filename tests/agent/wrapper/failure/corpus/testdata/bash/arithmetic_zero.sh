#!/usr/bin/env bash
set -e
count=0
for file in a b; do
    ((count++)) #=> -
    echo "$file"
done
