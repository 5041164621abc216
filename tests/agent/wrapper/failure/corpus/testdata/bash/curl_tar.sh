#!/usr/bin/env bash
#: fails curl:22
set -eo pipefail
mkdir -p app
curl -fsSL https://example.org/app.tar.gz | tar -xz -C app 2>/dev/null #=> curl:22|tar:2
echo unpacked
