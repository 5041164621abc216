#!/usr/bin/env bash
#: fails docker:1
abort() {
    printf '%s\n' "$@" >&2
    exit 1
}
echo "Checking Docker"
if ! docker info >/dev/null 2>&1; then #=| docker:1
    abort "Docker does not run." "Start it first." #=> docker:1
fi
