#!/usr/bin/env bash
#: fails docker:1
docker ps
exit 0
