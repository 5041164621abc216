#!/usr/bin/env bash
#: fails scp:1@2
set -e
printf '%s\n' a b c >servers
while read -r server; do
    scp app "$server:" #=> scp:1
done <servers
