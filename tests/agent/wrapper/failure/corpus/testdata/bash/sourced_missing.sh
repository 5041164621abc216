#!/usr/bin/env bash
set -e
echo start
source ./nowhere.sh #=> ?source:1
echo more
