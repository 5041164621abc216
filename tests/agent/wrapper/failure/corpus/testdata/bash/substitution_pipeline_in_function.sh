#!/usr/bin/env bash
#: fails curl:22
set -euo pipefail
choose_version() {
    local found
    if [ -z "${VERSION:-}" ]; then
        found=$(curl -fsS https://example.org/releases | grep -o 'v[0-9.]*' | head -n1) #=> ?curl:22|grep:1
        VERSION=$found
        echo "version $VERSION"
    fi
    echo "chosen"
}
echo start
choose_version #=| ?curl:22|grep:1
