#!/bin/sh
#: fails git:128
if ! git clone https://example.org/a.git; then
    echo "clone failed" >&2
    exit 1 #=? git:128
fi
