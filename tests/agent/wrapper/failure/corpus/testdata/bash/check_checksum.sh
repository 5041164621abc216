#!/usr/bin/env bash
echo "0000000000000000000000000000000000000000000000000000000000000000  app" >sums
echo data >app
sha256sum -c sums >/dev/null 2>&1 || { #=| sha256sum:1
    echo "The checksum differs."
    exit 1 #=> sha256sum:1
}
