#!/usr/bin/env bash
#: fails migrate:11
spin() {
    local pid=$1
    while kill -0 "$pid" 2>/dev/null; do
        :
    done
    wait "$pid" #=| ?migrate:11|wait:11
}
set -e
echo "migrating"
migrate --all >migrate.log 2>&1 & #=| ?migrate:11|wait:11
spin $! #=> ?migrate:11|wait:11
echo migrated
