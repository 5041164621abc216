#!/usr/bin/env bash
#: fails unpack:3
set -e
work=$PWD/work
mkdir "$work"
cleanup() {
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
unpack archive #=> unpack:3
echo unpacked
