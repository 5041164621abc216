#!/usr/bin/env bash
#: fails docker:1
set -e
! docker ps >/dev/null
if docker inspect app >/dev/null 2>&1; then
    echo "there"
fi
touch nowhere/at/all #=> touch:1
