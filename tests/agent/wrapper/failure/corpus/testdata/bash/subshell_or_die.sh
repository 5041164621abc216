#!/usr/bin/env bash
#: fails cmake:1
die() { echo "$*" >&2; exit 1; }
mkdir -p build
(cd build && cmake ..) || die "cmake failed" #=> cmake:1
echo configured
