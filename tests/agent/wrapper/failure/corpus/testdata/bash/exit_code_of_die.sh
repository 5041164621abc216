#!/usr/bin/env bash
#: fails restart-it:6
die() {
    local code=$1
    shift
    echo "$*"
    exit "$code"
}
restart-it app || die 44 "could not restart" #=> restart-it:6
