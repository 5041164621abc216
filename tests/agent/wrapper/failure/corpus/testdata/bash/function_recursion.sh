#!/usr/bin/env bash
#: fails copy:1@4
set -e
walk() {
    if (($1 > 0)); then
        walk $(($1 - 1))
    fi
    copy "$1" #=> copy:1
}
walk 5
