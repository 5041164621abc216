#!/usr/bin/env bash
#: fails fetch:6
set -e
trap 'echo "unexpected"' ERR
echo start
trap - ERR
fetch a #=> fetch:6
