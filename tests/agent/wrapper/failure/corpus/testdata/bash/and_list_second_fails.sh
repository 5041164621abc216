#!/usr/bin/env bash
#: fails build:4
set -e
prepare() { echo preparing; }
prepare && build --all #=> build:4
echo built
