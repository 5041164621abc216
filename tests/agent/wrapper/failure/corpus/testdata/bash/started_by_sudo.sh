#!/usr/bin/env bash
#: run @ sudo bash install.sh
#: fails helm:1
set -e
echo start
helm upgrade app #=? ?helm:1
