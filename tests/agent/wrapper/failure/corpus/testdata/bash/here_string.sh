#!/usr/bin/env bash
#: fails jq:4
#: reads jq
set -e
config='{"a": 1}'
jq -e .b <<<"$config" #=> jq:4
echo "has b"
