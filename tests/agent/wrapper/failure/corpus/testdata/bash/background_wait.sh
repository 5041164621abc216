#!/usr/bin/env bash
#: fails build-image:3
set -e
build-image web & #=| ?build-image:3|wait:3
pid=$!
echo "building"
wait "$pid" #=> ?build-image:3|wait:3
echo built
