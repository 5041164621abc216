#!/usr/bin/env bash
#: fails unpack:3 stopall:6
cleanup() {
    stopall --now || true
    rmdir nowhere 2>/dev/null
}
trap cleanup EXIT
unpack archive || exit 1 #=> unpack:3
