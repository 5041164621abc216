#!/usr/bin/env bash
err() { echo "$1" >&2; exit 1; }
need_cmd() {
    if ! command -v "$1" >/dev/null 2>&1; then #=| -
        err "need '$1' (command not found)" #=| -
    fi
}
need_cmd cat
need_cmd no-such-program #=> -
