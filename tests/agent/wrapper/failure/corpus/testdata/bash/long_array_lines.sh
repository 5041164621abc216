#!/usr/bin/env bash
set -e
names=(
    one
    two
)
echo "${names[@]}"
mv \
    "${names[@]}" \
    nowhere/ 2>/dev/null #=> mv:1 -2
