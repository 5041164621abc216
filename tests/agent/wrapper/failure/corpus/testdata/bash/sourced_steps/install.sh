#!/usr/bin/env bash
#: fails docker:1@2
set -euo pipefail
source ./01-check.sh
source ./02-start.sh
echo "all steps done"
