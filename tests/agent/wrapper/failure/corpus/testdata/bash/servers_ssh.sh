#!/usr/bin/env bash
#: fails ssh:255@2
set -e
for server in db1 db2 db3; do
    ssh -n "$server" uptime #=> ssh:255
    echo "$server is up"
done
