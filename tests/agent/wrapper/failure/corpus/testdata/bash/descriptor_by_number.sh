#!/usr/bin/env bash
#: fails helm:1
set -e
exec 9>lock
flock -n 9
exec {log}>>install.log
echo "one" >&"$log"
exec {log}>&-
helm upgrade app #=> helm:1
