#!/usr/bin/env bash
set -euo pipefail
action=$1 #=> -
echo "$action"
