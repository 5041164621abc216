#!/usr/bin/env bash
#: fails inner:3
set -e
if [ "$(inner)" = x ]; then
    echo x
fi
echo no
rmdir nowhere #=> rmdir:1
