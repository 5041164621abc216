#!/usr/bin/env bash
#: fails helm:1
set -o errexit
set -o nounset
set -o pipefail
shopt -s nullglob extglob
IFS=$'\n\t'
for file in *.none; do echo "$file"; done
helm upgrade app #=> helm:1
