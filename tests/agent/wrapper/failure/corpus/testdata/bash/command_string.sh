#!/usr/bin/env bash
#: run @ bash -c "$(cat install.sh)"
#: fails helm:1
set -e
echo start
helm upgrade app #=? ?helm:1
