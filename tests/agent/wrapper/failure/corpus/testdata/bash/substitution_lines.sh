#!/usr/bin/env bash
#: fails curl:22
set -e
echo "Looking for the newest version"
version=$( #=| ?curl:22
    curl -fsS https://example.org/latest #=> curl:22
) #=| ?curl:22
echo "version $version"
