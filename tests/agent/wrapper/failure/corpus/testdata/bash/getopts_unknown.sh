#!/usr/bin/env bash
usage() {
    echo "usage: $0 [-v]" >&2
    exit 64
}
set -- -x
while getopts v option 2>/dev/null; do
    case $option in
        v) verbose=1 ;;
        *) usage ;; #=> -
    esac
done
echo "${verbose:-}"
