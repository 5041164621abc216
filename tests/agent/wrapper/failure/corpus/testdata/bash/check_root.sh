#!/usr/bin/env bash
if [ "$(id -u)" -eq "$(id -u)" ]; then #=| -
    echo "This script must not be run as this user." 1>&2
    exit 1 #=> -
fi
echo go
