#!/usr/bin/env bash
#: fails npm:1
npm ci --omit=dev
if [ $? -ne 0 ]; then #=| ?npm:1
    echo "npm failed"
    exit 1 #=> ?npm:1
fi
echo built
