#!/usr/bin/env bash
die() { echo "$@" >&2; exit 2; }
version=1.9
need=2.0
true
if [[ $version < $need ]]; then #=| -
    die "version $version is too old" #=> -
fi
