#!/usr/bin/env bash
#: fails nc:1
port_is_open() {
    nc -z localhost "$1" #=| ?nc:1
}
echo start
if ! port_is_open 5432; then #=| ?nc:1
    echo "nothing listens on 5432" >&2
    exit 1 #=> ?nc:1
fi
