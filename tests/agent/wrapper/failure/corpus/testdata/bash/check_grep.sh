#!/usr/bin/env bash
die() { echo "$*" >&2; exit 1; }
echo "port=80" >conf
grep -q '^tls=' conf || die "no tls in conf" #=> -
