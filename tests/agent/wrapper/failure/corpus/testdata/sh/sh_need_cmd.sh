#!/bin/sh
err() { echo "$1" >&2; exit 1; }
need_cmd() { command -v "$1" >/dev/null 2>&1 || err "need $1"; }
cat /dev/null
need_cmd no-such-program #=? -
