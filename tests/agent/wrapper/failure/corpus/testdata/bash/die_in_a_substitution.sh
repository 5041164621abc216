#!/usr/bin/env bash
#: fails curl:6
set -e
die() {
    echo "$1" >&2
    exit 4
}
newest() {
    curl -fsS https://example.org/latest || die "no version" #=| ?curl:6
}
version=$(newest) #=> ?curl:6
echo "version $version"
