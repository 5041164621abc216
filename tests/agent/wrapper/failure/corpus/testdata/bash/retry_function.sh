#!/usr/bin/env bash
#: fails docker:1
retry() {
    local n=0
    until "$@"; do
        n=$((n + 1))
        [ "$n" -lt 3 ] || return 1
        echo "again: $*"
    done
}
set -e
retry docker pull app #=> ?docker:1
echo pulled
