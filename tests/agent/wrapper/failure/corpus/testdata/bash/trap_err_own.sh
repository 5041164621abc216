#!/usr/bin/env bash
#: fails helm:1
set -e
trap 'echo "failed at line $LINENO"' ERR
helm repo add app https://example.org #=> helm:1
echo added
