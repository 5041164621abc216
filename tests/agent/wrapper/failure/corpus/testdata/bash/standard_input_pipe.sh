#!/usr/bin/env bash
#: run cat install.sh | @ bash
#: fails helm:1
set -e
echo start
helm upgrade app #=? ?helm:1
