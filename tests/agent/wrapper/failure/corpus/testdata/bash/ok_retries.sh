#!/usr/bin/env bash
#: fails curl:7@1 curl:7@2
set -e
until curl -fsS https://example.org; do :; done
echo healthy
