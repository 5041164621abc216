#!/usr/bin/env bash
#: fails one:1 two:2 three:3
set -e
steps() {
    one
    two
    echo "went on"
}
if steps; then
    echo "fine"
fi
three #=> three:3
