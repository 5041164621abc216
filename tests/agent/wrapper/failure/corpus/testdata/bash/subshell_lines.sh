#!/usr/bin/env bash
#: fails make:2
set -e
mkdir -p src
(
    cd src
    make all #=> make:2
    echo built
)
echo after
