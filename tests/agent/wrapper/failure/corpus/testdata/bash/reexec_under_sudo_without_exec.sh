#!/usr/bin/env bash
#: fails helm:1
if [ "${1:-}" != again ]; then
    echo "needs root"
    sudo bash "$0" again #=| ?sudo:1
    exit $? #=> ?sudo:1
fi
set -e
helm upgrade app
