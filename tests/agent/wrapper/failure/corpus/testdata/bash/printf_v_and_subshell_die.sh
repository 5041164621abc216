#!/usr/bin/env bash
#: fails fetch:6
die() { printf '%s\n' "$*" >&2; exit 1; }
part() {
    (
        fetch "$1" || die "part $1 is missing" #=> ?fetch:6
    )
}
set -e
printf -v name 'part-%d' 1
part "$name"
