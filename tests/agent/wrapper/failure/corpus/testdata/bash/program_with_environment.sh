#!/usr/bin/env bash
#: fails apt-get:100
set -e
DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get install -y jq #=> apt-get:100
