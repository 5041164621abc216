#!/bin/sh
err() { echo "$1" >&2; exit 1; }
echo a >conf
cat conf
grep -q b conf || err "no b" #=? -
