#!/usr/bin/env bash
#: fails curl:7@1 curl:7@2 tar-x:2
set -e
n=0
until curl -fsS https://example.org/app -o app; do
    n=$((n + 1))
    [ "$n" -lt 5 ] || exit 1
done
echo "got it after $n"
tar-x app #=> tar-x:2
