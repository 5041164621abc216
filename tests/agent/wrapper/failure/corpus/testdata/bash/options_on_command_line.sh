#!/usr/bin/env bash
#: run @ bash -eu install.sh x
#: fails helm:1
echo "start $1"
helm upgrade app #=> helm:1
