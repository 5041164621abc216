#!/usr/bin/env bash
#: fails curl:22
set -e
curl() {
    command curl --retry 3 "$@" #=| curl:22
}
echo start
curl -fsS https://example.org/a -o a #=> curl:22
