#!/usr/bin/env bash
#: fails curl:22
set -euo pipefail
echo "Looking"
tag=$(curl -fsS https://example.org/releases | sed -n 's/.*tag: //p') #=> ?curl:22
echo "tag $tag"
