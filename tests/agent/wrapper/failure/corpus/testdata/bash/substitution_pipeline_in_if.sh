#!/usr/bin/env bash
set -euo pipefail
version=latest
if [[ "${version}" == "latest" ]]; then
    latest=$(printf '%s\n' "tags: none" | grep tag_name | cut -d '"' -f4) #=> ?grep:1
    version="${latest}"
fi
echo "$version"
