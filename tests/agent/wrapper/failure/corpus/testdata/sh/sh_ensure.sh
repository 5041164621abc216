#!/bin/sh
#: fails unpack:3
err() { echo "$1" >&2; exit 1; }
ensure() { if ! "$@"; then err "command failed: $*"; fi; }
ensure true
ensure unpack a #=? unpack:3
