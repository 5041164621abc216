#!/bin/sh
#: fails curl:22
die() {
    echo "$*" >&2
    exit 1
}
curl -fsS https://example.org -o a || die "no a" #=? curl:22
