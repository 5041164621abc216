#!/usr/bin/env bash
#: fails make:2
set -e
build() (
    cd "$1"
    make all #=> make:2
)
mkdir -p src
build src #=| ?make:2
echo after
