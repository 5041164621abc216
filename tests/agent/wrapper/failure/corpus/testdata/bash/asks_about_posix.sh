#!/usr/bin/env bash
#: fails git:1
abort() {
    printf '%s\n' "$@" >&2
    exit 1
}
if [[ -n "${POSIXLY_CORRECT+1}" ]]; then
    abort "not in POSIX mode"
fi
if readlink /proc/$$/exe | grep -q dash; then
    abort "not with dash"
fi
git --version || abort "no git" #=> git:1
