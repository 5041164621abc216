#!/usr/bin/env bash
#: fails curl:28
set -euo pipefail
newest() {
    curl -fsS https://example.org/latest #=| ?curl:28
}
echo "Looking"
version=$(newest) #=> ?curl:28
echo "version $version"
