#!/usr/bin/env bash
die() { echo "Error: $*" >&2; exit 1; }
version_at_least() {
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n1)" = "$2" ]
}
current=18.9.0
version_at_least "$current" 20.0.0 || die "version $current is too old" #=> -
