#!/usr/bin/env bash
#: prints snap active
set -e
exec > >(tee -a install.log) 2>&1
echo "logging"
if [ "$(snap list docker)" = active ]; then #=| -
    echo "Docker is installed by snap."
    exit 1 #=> -
fi
