#!/usr/bin/env bash
#: fails fetch:6
die() { printf '%s\n' "$*" >&2; exit 2; }
printf '%s\n' a b | while read -r name; do
    fetch "$name" || exit 1
done
echo "went on"
[ -e a ] || die "a is missing" #=> ?fetch:6
