#!/usr/bin/env bash
abort() {
    >&2 printf 'Error: %s\n' "$*" && exit 1
}
no_versions() {
    echo "usage: n" >&2
    abort "no downloaded versions yet" #=> -
}
set +e
test -z "$(ls nowhere 2>/dev/null)" && no_versions #=| -
