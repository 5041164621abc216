#!/usr/bin/env bash
#: fails helm:1
set -e
backtrace() {
    local i
    for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
        echo "  ${FUNCNAME[i]}:${BASH_LINENO[i - 1]}" >&2
    done
}
step() {
    helm upgrade app || { backtrace; exit 5; } #=> helm:1
}
step #=| helm:1
