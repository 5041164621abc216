#!/usr/bin/env bash
#: fails docker:125
set -e
# Don't trap 'EXIT' here: set -x and eval "x" aren't needed; see `export -p`.
echo "trap - EXIT; set -v; declare -p; <<EOF"
docker pull app #=> docker:125
