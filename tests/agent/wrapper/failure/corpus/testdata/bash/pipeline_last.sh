#!/usr/bin/env bash
#: fails kubectl:1
#: reads kubectl
set -e
echo "kind: Pod" | kubectl apply -f - #=> kubectl:1
echo applied
