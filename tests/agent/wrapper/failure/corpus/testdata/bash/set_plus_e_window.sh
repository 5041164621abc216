#!/usr/bin/env bash
#: fails docker-compose:14
set -e
echo "Starting"
set +e
docker-compose up -d #=| ?docker-compose:14
rc=$?
set -e
if ((rc != 0)); then
    echo "could not start: $rc"
    exit 14 #=> ?docker-compose:14
fi
docker-compose ps
