#!/usr/bin/env bash
#: fails docker:1
trap 'exit 0' EXIT
docker ps
exit 5
