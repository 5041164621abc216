#!/usr/bin/env bash
set -e
parts=0
echo start
size=$((100 / parts)) #=| -
[ -n "${size:-}" ] || exit 2 #=> -
