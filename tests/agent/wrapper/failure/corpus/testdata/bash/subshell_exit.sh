#!/usr/bin/env bash
set -e
echo start
(
    echo inside
    [ -e nowhere ] || exit 3 #=> ?[:1
)
echo after
