#!/usr/bin/env bash
#: fails jq:5
#: reads jq
set -eo pipefail
echo '{}' | jq .version | tr -d '"' #=> jq:5
echo parsed
