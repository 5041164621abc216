#!/usr/bin/env bash
#: fails helm:1
set -e
exec > >(tee -a install.log) 2>&1
echo "logging"
helm upgrade app #=> helm:1
