#!/usr/bin/env bash
#: fails helm:1
set -e
shopt -s inherit_errexit 2>/dev/null
newest() {
    helm search app #=| helm:1
    echo "1.0"
}
version=$(newest) #=> ?helm:1
echo "$version"
