#!/usr/bin/env bash
echo start
true
if true; then
    echo "no end #=? -
fi
