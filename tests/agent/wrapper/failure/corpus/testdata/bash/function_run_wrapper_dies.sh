#!/usr/bin/env bash
#: fails docker:1@2
die() { echo "$*" >&2; exit 1; }
run() {
    echo "+ $*"
    "$@" || die "failed: $*" #=| docker:1
}
run docker pull a
run docker pull b #=> docker:1
run docker pull c
