#!/usr/bin/env bash
#: fails grep-service:1 docker:1@2
set -e
grep-service nginx || true
docker network create app || echo "network exists"
if ! docker ps; then
    docker start app
fi
grep-service apache || true
docker network create b || true
docker compose up -d
false || true
mkdir out/missing/deep #=> mkdir:1
