#!/usr/bin/env bash
#: fails ssh:255@3
die() { echo "$*" >&2; exit 1; }
servers=(db1 db2 db3 db4)
for server in "${servers[@]}"; do
    echo "$server"
    if ! ssh -n "$server" true; then #=| ssh:255
        die "$server cannot be reached" #=> ssh:255
    fi
done
