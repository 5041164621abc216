#!/usr/bin/env bash
#: fails curl:22
die() {
    echo "error: $*" >&2
    exit 1
}
curl -fsSL https://example.org/app.tar.gz -o app.tar.gz || die "download failed" #=> curl:22
echo installed
