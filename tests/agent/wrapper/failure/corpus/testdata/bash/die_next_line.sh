#!/usr/bin/env bash
#: fails curl:6
die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}
echo "Downloading"
curl -fsSL https://example.org/app -o app || #=| curl:6
    die "download failed" #=> curl:6
