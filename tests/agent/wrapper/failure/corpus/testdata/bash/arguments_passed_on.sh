#!/usr/bin/env bash
#: run @ ./install.sh --dir /srv --port 80
#: fails helm:1
error() { echo "error: $*" >&2; exit 1; }
parse() {
    while [[ $# -gt 0 ]]; do
        case "$1" in
            --dir) dir=$2; shift 2 ;;
            *) error "unknown option $1" ;; #=> -
        esac
    done
}
parse "$@" #=| -
echo "$dir"
