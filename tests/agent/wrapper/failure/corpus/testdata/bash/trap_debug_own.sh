#!/usr/bin/env bash
#: fails rsync:23
set -e
count=0
trap 'count=$((count + 1))' DEBUG
echo one
rsync -a a b #=> rsync:23
