#!/usr/bin/env bash
#: run cat install.sh | @ bash -s -- a
#: fails helm:1
die() {
    echo "$*" >&2
    exit 1
}
echo start
helm upgrade app || die "no helm" #=? ?helm:1
