#!/usr/bin/env bash
#: fails useradd:9
error_exit() {
    echo "${0##*/}: line $1: ${2:-unknown error}" >&2
    exit "${3:-1}"
}
id >/dev/null
useradd --system app || error_exit "$LINENO" "cannot add the user" 9 #=> useradd:9
echo "user added"
