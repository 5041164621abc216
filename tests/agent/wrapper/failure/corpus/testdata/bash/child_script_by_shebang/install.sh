#!/usr/bin/env bash
#: fails psql:2
set -e
echo start
./step.sh one || exit 3 #=> step.sh:2
