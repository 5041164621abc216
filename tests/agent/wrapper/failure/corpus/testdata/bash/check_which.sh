#!/usr/bin/env bash
#: fails which:1
if ! which docker >/dev/null 2>&1; then #=| -
    echo "Docker is missing."
    exit 1 #=> -
fi
