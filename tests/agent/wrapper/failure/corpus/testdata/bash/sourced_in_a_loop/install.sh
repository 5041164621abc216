#!/usr/bin/env bash
#: fails systemctl:1
set -e
for step in ./steps-*.sh; do
    # shellcheck source=/dev/null
    . "$step"
done
