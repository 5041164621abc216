#!/usr/bin/env bash
#: fails docker:1
set -e
eval "$(echo 'A=1'; echo 'B=2')"
echo "$A$B"
docker pull app #=> docker:1
