#!/usr/bin/env bash
#: fails helm:1@2
set -Eeuo pipefail
trap 'echo "failed at line $LINENO: $BASH_COMMAND" >&2' ERR
helm repo add app https://example.org
helm install app app/app #=> helm:1
echo installed
