#!/usr/bin/env bash
#: fails apt-get:100@2
apt-get update -qq
apt-get install -y -qq jq || { #=| apt-get:100
    echo "Could not install jq." >&2
    echo "Please install it yourself." >&2
    exit 1 #=> apt-get:100
}
echo ready
