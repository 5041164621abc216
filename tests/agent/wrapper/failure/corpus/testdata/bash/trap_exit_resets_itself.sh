#!/usr/bin/env bash
#: fails fetch:6
set -e
finish() {
    trap - EXIT
    echo "finish"
    false
    true
}
trap finish EXIT
fetch a #=> fetch:6
