#!/usr/bin/env bash
#: fails psql:2
set -e
source "$(dirname "$0")/lib.sh"
echo start
create_database app #=| ?psql:2
echo "created"
