#!/usr/bin/env bash
#: fails helm:1
if [ -z "${AGAIN:-}" ]; then
    echo "again"
    AGAIN=1 exec bash "$0" "$@"
fi
set -e
echo start
helm upgrade app #=? ?helm:1
