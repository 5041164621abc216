#!/usr/bin/env bash
#: fails build-image:3
die() { echo "$*" >&2; exit 1; }
build-image web &
pid=$!
echo "building"
wait "$pid" || die "the image could not be built" #=> ?build-image:3
