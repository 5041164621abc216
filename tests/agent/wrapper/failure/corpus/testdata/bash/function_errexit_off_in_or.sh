#!/usr/bin/env bash
#: fails one:1 two:2
set -e
steps() {
    one
    echo "went on"
    two #=| two:2
}
steps || exit 7 #=> two:2
