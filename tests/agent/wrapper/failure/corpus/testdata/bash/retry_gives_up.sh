#!/usr/bin/env bash
#: fails curl:7
die() { echo "$*" >&2; exit 1; }
tries=0
until curl -fsS https://example.org/health; do #=| ?curl:7
    tries=$((tries + 1))
    if [ "$tries" -ge 3 ]; then
        die "not healthy after $tries tries" #=> ?curl:7
    fi
done
