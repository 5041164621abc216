#!/usr/bin/env bash
#: fails docker:1@2
set -e
run() {
    echo "+ $*"
    "$@" #=| docker:1
}
run docker pull a
run docker pull b #=> docker:1
run docker pull c
