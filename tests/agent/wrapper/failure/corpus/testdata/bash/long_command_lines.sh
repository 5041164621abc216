#!/usr/bin/env bash
#: fails docker:125
set -e
docker run \
    --detach \
    --name app \
    --publish 80:80 \
    example/app:latest #=> docker:125 -4
