#!/usr/bin/env bash
#: fails scp:1@2
set -eo pipefail
printf '%s\n' a b c | while read -r server; do
    scp app "$server:" || exit 8 #=> ?scp:1
done
echo copied
