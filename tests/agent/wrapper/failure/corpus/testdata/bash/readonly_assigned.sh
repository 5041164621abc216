#!/usr/bin/env bash
set -e
readonly VERSION=1.0
echo start
VERSION=2.0 #=> -
echo "$VERSION"
