#!/usr/bin/env bash
#: fails helm:1
set -e
coproc READER { cat; }
echo hello >&"${READER[1]}"
read -r line <&"${READER[0]}"
echo "$line"
helm upgrade app #=> helm:1
