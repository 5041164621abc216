#!/usr/bin/env bash
for program in cat ls no-such-program; do
    command -v "$program" >/dev/null 2>&1 || { #=| -
        echo "$program is missing"
        exit 1 #=> -
    }
done
