#!/usr/bin/env bash
#: fails fetch:6
die() { echo "$*" >&2; exit 1; }
rollback() {
    status=$?
    [ "$status" = 0 ] && return
    echo "rolling back"
    die "rolled back"
}
trap rollback EXIT
fetch a || die "no a" #=> fetch:6
