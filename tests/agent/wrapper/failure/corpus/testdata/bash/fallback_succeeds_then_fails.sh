#!/usr/bin/env bash
#: fails docker-old:127 docker-new:1@2
set -e
docker-old version 2>/dev/null || docker-new version
docker-new up #=> docker-new:1
