#!/usr/bin/env bash
#: fails mkdir-all:1
err() { echo "$1" >&2; exit 1; }
ensure() {
    if ! "$@"; then err "command failed: $*"; fi #=| mkdir-all:1
}
ensure true
ensure mkdir-all a b #=> mkdir-all:1
