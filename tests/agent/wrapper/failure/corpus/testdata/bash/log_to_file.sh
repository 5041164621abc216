#!/usr/bin/env bash
#: fails helm:1
set -e
exec 3>&1 >install.log 2>&1
echo "logging"
echo "Installing" >&3
helm upgrade app #=> helm:1
