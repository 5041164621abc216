#!/usr/bin/env bash
#: run @ bash -s -- --edition large < install.sh
#: fails helm:1
die() { echo "$*" >&2; exit 1; }
echo "$2"
helm upgrade app || die "no helm" #=> helm:1
