#!/usr/bin/env bash
set -e
echo start
{ #=> -
    echo "a=1"
    echo "b=2"
} >/nonexistent/conf #=| -
