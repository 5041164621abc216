#!/usr/bin/env bash
#: fails pull:1
set -e
printf "%s\n" a | xargs -P2 -n1 pull >/dev/null 2>&1 || failed=yes #=| ?pull:1|?xargs:123
if [ "${failed:-}" = yes ]; then #=| ?pull:1|?xargs:123
    echo "some failed"
    exit 1 #=> ?pull:1|?xargs:123
fi
