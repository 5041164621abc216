#!/usr/bin/env bash
usage() {
    cat <<EOF
Usage: install.sh [--prefix DIR]
EOF
    exit 2
}
set -- --prefix /opt --unknown
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            prefix=$2
            shift 2
            ;;
        -h | --help) usage ;;
        *) usage ;; #=> -
    esac
done
echo "$prefix"
