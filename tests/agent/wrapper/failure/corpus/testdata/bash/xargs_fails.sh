#!/usr/bin/env bash
#: fails fetch-one:1
set -eo pipefail
printf '%s\n' a b | xargs -n1 fetch-one #=> xargs:123|fetch-one:1
