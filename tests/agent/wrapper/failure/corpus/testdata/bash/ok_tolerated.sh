#!/usr/bin/env bash
#: fails docker:1 grep-it:1
set -e
docker network create x || true
grep-it a || echo "not there"
if ! docker ps; then echo "no docker"; fi
docker stop x && echo stopped
false || :
echo done
