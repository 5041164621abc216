#!/usr/bin/env bash
#: fails curl:22
set -e
die() { echo "$1" >&2; exit 3; }
tag=$(curl -fsS https://example.org/releases | sed -n 's/.*tag: //p')
if [ -z "$tag" ]; then #=| ?curl:22
    die "no tag found" #=> ?curl:22
fi
