#!/usr/bin/env bash
#: fails apt-get:100
for try in 1 2 3; do
    apt-get update && break
    echo "try $try failed"
done || exit 1
apt-get install -y jq || exit 100 #=> apt-get:100
