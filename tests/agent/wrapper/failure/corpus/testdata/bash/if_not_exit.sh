#!/usr/bin/env bash
#: fails git:128
echo "Cloning"
if ! git clone --depth 1 https://example.org/app.git; then #=| git:128
    echo "clone failed"
    exit 1 #=> git:128
fi
echo cloned
