#!/usr/bin/env bash
#: fails unzip:9
set -euo pipefail
tmp=$(mktemp -d "$PWD/tmp.XXXX")
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
echo data >a.zip
unzip -q a.zip #=> unzip:9
