#!/usr/bin/env bash
#: fails helm:1
set -e
for ((i = 0; i < 5000; i++)); do
    test "$i" = 9999 || :
done
helm upgrade app #=> helm:1
