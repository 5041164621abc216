#!/usr/bin/env bash
#: fails ping:2
die() {
    echo "$1" >&2
    exit 1
}
finish() {
    grep -q nothing lock
    ls nowhere 2>/dev/null
    rm -f lock
}
trap finish EXIT
touch lock
ping -c1 db || die "db cannot be reached" #=> ping:2
