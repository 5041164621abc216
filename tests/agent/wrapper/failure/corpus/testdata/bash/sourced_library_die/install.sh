#!/usr/bin/env bash
#: fails curl:22
set -e
. ./lib.sh
say "start"
curl -fsS https://example.org/a -o a || die "no a" #=> curl:22
