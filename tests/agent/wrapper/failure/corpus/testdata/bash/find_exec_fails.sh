#!/usr/bin/env bash
set -e
mkdir -p tree/a
find tree -name a -exec cp {} nowhere/ \; >/dev/null
find nowhere -type f #=> find:1
