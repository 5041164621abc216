#!/usr/bin/env bash
echo start
. ./nowhere.sh 2>/dev/null || { echo "lib is missing"; exit 3; } #=> ?.:1
